// What the kiosk falls back on without network: the people of its session, a clock that nobody sets, and a queue
// that only the server can open. Where the browser stores nothing, the kiosk works with the network alone.

import { call, facts, newKey, Offline, Problem } from "../page.js";
import { bytes, joined, seal } from "./hpke.js";
import { openStore } from "./store.js";

const REFRESH_MS = 60_000;
const DAY_MS = 86_400_000;
const MOST_QUEUED = 500;
/** Two clocks of the tablet that part by more: it slept, or somebody set one of them. */
const CLOCKS_PART_MS = 60_000;
const VERSION = 1;
/** Codes after which an item will never be taken; it goes, and the server has told the board. */
const SETTLED = ["queue_unreadable", "queue_of_another_session", "taken_after_end", "exam_purged", "session_not_found", "validation_failed", "image_too_large"];

/** How numbers are compared: near to what the server does, and the tablet's answer is never the last word. */
const plain = (text) => text.normalize("NFKC").toLowerCase().trim();
const decoded = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
const idBytes = (id) => Uint8Array.from(id.replace(/-/g, "").match(/../g), (pair) => parseInt(pair, 16));

class Reserve {
  constructor() {
    this.store = /** @type {Awaited<ReturnType<typeof openStore>>} */ (null);
    this.pack = /** @type {any} */ (null);
    /** The server's clock when it was last heard, and this tablet's two clocks then. */
    this.contact = /** @type {{server: string, wall: number, ticks: number | null} | null} */ (null);
    this.queued = /** @type {Set<string>} */ (new Set());
    this.count = 0;
    this.askedAt = -Infinity;
    this.delivering = false;
    /** Told whenever the length of the queue changes. */
    this.changed = () => {};
  }

  /** Take up what is stored; what nobody can open any more goes. */
  async open() {
    this.store = await openStore();
    if (this.store === null) return;
    const pack = await this.store.fact("pack");
    const contact = await this.store.fact("contact");
    if (pack && (!facts.session_id || pack.session_id === facts.session_id)) {
      this.pack = pack;
      // The clock that nobody sets began anew with this page.
      this.contact = contact ? { ...contact, ticks: null } : null;
    }
    if (facts.session_id && facts.csrf) await this.store.put(csrfName(facts.session_id), facts.csrf).catch(() => {});
    for (const { key, item } of await this.store.queue()) {
      if (Date.now() > item.until) await this.store.remove(key);
    }
    await this.recount();
  }

  async recount() {
    const queue = (await this.store?.queue()) ?? [];
    this.count = queue.length;
    // Somebody of another session of this tablet's may have the same number.
    const here = queue.filter(({ item }) => item.session_id === this.pack?.session_id);
    this.queued = new Set(here.map(({ item }) => item.external_id));
    this.changed();
  }

  /** Whether people can be looked after without the network. */
  get isReady() {
    return Boolean(this.store && this.pack?.public_key && this.contact && this.count < MOST_QUEUED);
  }

  /** Whether the exam looks at nobody without network. */
  get isClosed() {
    return this.pack !== null && !this.pack.public_key;
  }

  /** The server has answered, and said what time it is. */
  async heard(server) {
    this.contact = { server, wall: Date.now(), ticks: performance.now() };
    if (performance.now() - this.askedAt >= REFRESH_MS) await this.refresh();
    else if (this.pack) await this.store?.put("contact", this.contact).catch(() => {});
  }

  /** Fetch anew who is expected. */
  async refresh() {
    if (this.store === null) return;
    this.askedAt = performance.now();
    try {
      this.pack = await call("GET", `/v1/sessions/${facts.session_id}/queue/pack`, { timeout: 10_000 });
      await this.store.put("pack", this.pack);
      await this.recount();
      await this.store.put("contact", this.contact);
    } catch {
      // The former one is better than none; the next sign of the network tries again.
      this.askedAt = -Infinity;
    }
  }

  /** The names go when the session or the kiosk ends; what is queued stays until it is delivered. */
  async forget() {
    this.pack = null;
    this.contact = null;
    await this.store?.forget("pack", "contact").catch(() => {});
  }

  /** Milliseconds since the server was heard, and whether that is an estimate. */
  since() {
    const { wall, ticks } = /** @type {any} */ (this.contact);
    const byWall = Math.max(0, Date.now() - wall);
    if (ticks === null) return { ms: Math.round(byWall), estimated: true };
    const ms = performance.now() - ticks;
    return { ms: Math.round(ms), estimated: Math.abs(ms - (Date.now() - wall)) > CLOCKS_PART_MS };
  }

  /** What time it is by the server's clock. */
  now() {
    return Date.parse(/** @type {any} */ (this.contact).server) + this.since().ms;
  }

  /** How the session stands, as far as the tablet knows. */
  get state() {
    const { opens_at, closes_at } = this.pack;
    if (this.now() < Date.parse(opens_at)) return "upcoming";
    return this.now() < Date.parse(closes_at) ? "open" : "closed";
  }

  /** Whose number it is; undefined of nobody's. */
  find(number) {
    const wanted = plain(number);
    const prefix = plain(this.pack.card_prefix);
    const spelled = [wanted, prefix && wanted.startsWith(prefix) ? wanted.slice(prefix.length).trim() : wanted];
    const people = this.pack.people;
    return spelled.map((one) => people.find(({ external_id, numbers }) => plain(external_id) === one || numbers.includes(one))).find(Boolean);
  }

  /** What there is to say of a number: a person who may be looked at, or why not. */
  claim(number) {
    if (this.state !== "open") return { refused: "session_closed" };
    const person = this.find(number);
    if (!person) return { refused: "not_on_roster" };
    if (person.is_in || this.queued.has(person.external_id)) return { refused: "already_here", person };
    const late = this.pack.entry_ends_at && this.now() > Date.parse(this.pack.entry_ends_at);
    if (late) return { refused: "entry_over" };
    return person.may_be_photographed ? { person } : { refused: "manual_identification_agreed" };
  }

  /** Queue an attempt. Throws where it cannot be kept. */
  async keep(person, picture, taken) {
    const item = newKey();
    const { ms, estimated } = this.since();
    const said = {
      candidate: person.external_id,
      contact_at: this.contact?.server,
      since_contact_ms: ms,
      client_time: taken,
      time_estimated: estimated,
      provisional: this.pack.rule === "provisional",
    };
    const { session_id, public_key, closes_at } = this.pack;
    const told = bytes(JSON.stringify(said));
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, told.length);
    const text = joined(length, told, new Uint8Array(await picture.arrayBuffer()));
    const closed = await seal(decoded(public_key), bytes(`invigil queue/1 ${session_id} ${item}`), text);
    const sealed = joined(new Uint8Array([VERSION]), idBytes(session_id), closed);
    await this.store?.add({ item, session_id, sealed, external_id: person.external_id, until: Date.parse(closes_at) + DAY_MS });
    await this.recount();
    return this.pack.rule;
  }

  /** Deliver the queue in order, for as long as the server takes it; one bad item, or a former session, stops no other. */
  async deliver() {
    if (this.store === null || this.delivering || !this.count) return;
    this.delivering = true;
    const waiting = new Set();
    try {
      for (const { key, item } of await this.store.queue()) {
        if (waiting.has(item.session_id)) continue;
        // What a former session's page has sent its requests with: that kiosk delivers it.
        const csrf = (await this.store.fact(csrfName(item.session_id))) ?? facts.csrf ?? (await this.store.fact("csrf"));
        if (await sent(item, csrf ?? "")) {
          await this.store.remove(key);
          await this.recount();
        } else waiting.add(item.session_id);
      }
      if (!this.count) this.askedAt = -Infinity;
    } finally {
      this.delivering = false;
    }
  }
}

const csrfName = (sessionId) => `csrf ${sessionId}`;

/** Whether an item has been dealt with. */
async function sent({ item, session_id, sealed }, csrf) {
  const form = new FormData();
  form.append("item", item);
  form.append("sealed", new Blob([sealed], { type: "application/octet-stream" }), "item");
  try {
    await call("POST", `/v1/sessions/${session_id}/queue`, { form, timeout: 30_000, headers: { "X-CSRF-Token": csrf } });
    return true;
  } catch (error) {
    if (error instanceof Offline || !(error instanceof Problem)) return false;
    return SETTLED.includes(error.code);
  }
}

export const reserve = new Reserve();

let refusedToInstall = false;

/** Install the page, so that it starts without network. */
export async function install() {
  try {
    await navigator.serviceWorker.register("/kiosk/worker.js", { scope: "/kiosk" });
  } catch {
    // No secure context, or a certificate that somebody clicked away.
    refusedToInstall = true;
  }
}

/** Whether the kiosk works without network, or why not. */
export async function installation() {
  if (!window.isSecureContext || refusedToInstall) return { problem: "insecure" };
  if (reserve.store === null) return { problem: "denied" };
  const found = await navigator.serviceWorker?.getRegistration?.("/kiosk").catch(() => null);
  if (!found?.active || reserve.pack === null) return { problem: "waiting" };
  return reserve.pack.public_key ? { people: reserve.pack.people.length } : { problem: "nothing" };
}
