// The live board: who needs a person, oldest first, and every seat of the session as it stands now.

import { clock, date, h, may, setTitle, t, zone } from "../page.js";
import { TONES, announce, notice, toast } from "../ui.js";
import { follow, ofSession } from "../live.js";
import { identify, usualField } from "../usual.js";
import { heldText } from "./held.js";
import { nameOf, Queue } from "./queue.js";

/** @typedef {import("api").components["schemas"]["Candidate"]} Candidate */
/** @typedef {import("api").components["schemas"]["Session"]} Session */

const FILTERS = ["all", "waiting", "expected", "admitted", "identified_manually", "refused", "out", "left"];
const AWAY = ["out", "left"];
const LET_IN = ["admitted", "identified_manually"];

/**
 * @param {HTMLElement} view
 * @param {Session} one
 * @param {string} [detail] "big": for a screen that everybody sees.
 */
export function board(view, one, detail) {
  return detail === "big" ? bigScreen(view, one) : new Board(view, one).start();
}

/** When a session opens and closes, and how it stands.
 * @param {Session} one */
export function sessionWindow(one) {
  const state = Date.parse(one.server_time) >= Date.parse(one.closes_at) ? "closed" : one.state;
  return `${date(one.opens_at)} – ${clock(one.closes_at)} ${zone()} · ${t(`session.${state}`)}`;
}

export const bySeat = (a, b) => String(a.seat ?? "~").localeCompare(String(b.seat ?? "~"), undefined, { numeric: true });

class Board extends Queue {
  /**
   * @param {HTMLElement} view
   * @param {Session} one
   */
  constructor(view, one) {
    super(view);
    this.one = one;
    this.offset = Date.parse(one.server_time) - Date.now();
    /** @type {Map<string, Candidate>} */
    this.people = new Map();
    /** @type {Map<string, {node: HTMLElement, drawn: string}>} */
    this.tiles = new Map();
    this.seats = h("ul.seats", { id: "seats", "aria-labelledby": "seats-title" });
    this.nobody = h("p.muted", { hidden: true }, t("board.nobody_found"));
    /** Where no face is looked at, one tap on a seat says that the usual document was seen. */
    this.oneTap = one.faces === "off" && may("override");
    this.roster = one.candidates ? null : notice("wait", t("board.no_roster"), " ", h("a", { href: `#/sessions/${one.id}/roster` }, t("session.tab_roster")));
    view.append(...[this.roster, this.line, this.tools(this.oneTap ? usualField() : "", h("a.button", { href: `#/sessions/${one.id}/board/big` }, t("board.big"))), this.queue,
      h("section.stack", {}, h("h2", { id: "seats-title" }, t("board.seats")), this.nobody, this.seats)].filter(Boolean));
    this.state("connecting");
  }

  source() {
    return ofSession(this.one.id);
  }

  place() {
    return [this.one.room, this.one.exam_name];
  }

  sessionOf(_need) {
    return this.one;
  }

  message(kind, data) {
    if (kind === "roster") return this.feed.again();
    if (kind === "snapshot") {
      Object.assign(this.one, data.session);
      this.people = new Map(data.candidates.map((person) => [person.entry_id, person]));
      this.roster?.remove();
    } else if (data.candidate) {
      this.people.set(data.candidate.entry_id, data.candidate);
      if (kind === "movement") announce(t("board.went", { name: nameOf(data.candidate), where: t(`presence.${data.candidate.presence}`) }));
      else if (kind !== "standing") announce(t("board.moved", { name: nameOf(data.candidate), status: t(`status.${data.candidate.status}`) }));
      this.drawer?.changed(data.candidate);
    }
    if (data.session) this.changed(data.session, kind === "session");
    this.waiting = data.waiting;
    this.callFor();
    this.show();
  }

  changed(session, tell) {
    Object.assign(this.one, session);
    document.getElementById("session-window")?.replaceChildren(sessionWindow(this.one));
    if (tell) announce(t("board.changed", { time: clock(this.one.closes_at) }));
  }

  /** Who went out and never came back, when the session is over. */
  missing(people) {
    const out = people.length ? people : [...this.people.values()].filter(({ presence }) => presence === "out");
    return out.length ? notice("wait", t("board.not_returned", { names: out.map((one) => [nameOf(one), one.seat].filter(Boolean).join(", ")).join("; ") })) : "";
  }

  state(name, at = undefined, missing = []) {
    super.state(name, at, missing);
    if (name !== "closed") return;
    this.one.state = "closed";
    document.getElementById("session-window")?.replaceChildren(sessionWindow(/** @type {any} */ ({ ...this.one, server_time: this.one.closes_at })));
  }

  /** The entries of those who wait. */
  waits() {
    return new Set(this.waiting.map((need) => need.candidate?.entry_id).filter(Boolean));
  }

  /** Whether somebody is in what is looked for. */
  matches(person, waits) {
    if (!this.isSought(person)) return false;
    if (AWAY.includes(this.filter)) return person?.presence === this.filter;
    return this.filter === "all" || (this.filter === "waiting" ? waits : person?.status === this.filter && !waits);
  }

  show() {
    super.show();
    this.showSeats();
  }

  counts() {
    const waits = this.waits();
    const counts = { all: this.people.size, waiting: this.waiting.length };
    for (const person of this.people.values()) {
      if (AWAY.includes(person.presence)) counts[person.presence] = (counts[person.presence] ?? 0) + 1;
      if (!waits.has(person.entry_id)) counts[person.status] = (counts[person.status] ?? 0) + 1;
    }
    const known = FILTERS.filter((name) => !AWAY.includes(name) || counts[name] || this.filter === name);
    return known.map((name) => ({ name, n: counts[name] ?? 0, text: t(`board.filter_${name}`), calls: name === "waiting" }));
  }

  outSince(moment) {
    return t("presence.out_since", { minutes: Math.max(0, Math.floor((Date.now() + this.offset - Date.parse(moment)) / 60000)) });
  }

  tick() {
    super.tick();
    for (const node of this.seats.querySelectorAll("[data-out]")) node.textContent = this.outSince(node.getAttribute("data-out"));
  }

  /** Only what has changed is drawn: a room has hundreds of seats. */
  showSeats() {
    const waits = this.waits();
    const order = [...this.people.values()].sort(bySeat);
    for (const [id, tile] of this.tiles) {
      if (this.people.has(id)) continue;
      tile.node.remove();
      this.tiles.delete(id);
    }
    let shown = 0;
    order.forEach((person, place) => {
      const isWaiting = waits.has(person.entry_id);
      const drawn = JSON.stringify([person.seat, person.status, person.display_name, person.external_id, person.flags, person.extra_minutes, person.source, person.presence, person.presence_at, person.held, person.provisional, isWaiting]);
      let tile = this.tiles.get(person.entry_id);
      if (tile?.drawn !== drawn) {
        const node = this.seat(person, isWaiting);
        const hadFocus = tile?.node.contains(document.activeElement);
        if (tile) tile.node.replaceWith(node);
        tile = { node, drawn };
        this.tiles.set(person.entry_id, tile);
        if (hadFocus) /** @type {HTMLElement} */ (node.firstElementChild).focus();
      }
      if (this.seats.children[place] !== tile.node) this.seats.insertBefore(tile.node, this.seats.children[place] ?? null);
      tile.node.hidden = !this.matches(person, isWaiting);
      shown += Number(!tile.node.hidden);
    });
    this.nobody.hidden = shown > 0 || !order.length;
  }

  seat(person, isWaiting) {
    const away = AWAY.includes(person.presence);
    const tone = isWaiting ? "wait" : away ? person.presence : TONES[person.status] ?? "";
    const out = { "data-out": person.presence_at };
    const status = isWaiting ? (person.held ? heldText(person) : t("board.needs_person")) : person.presence === "out" ? h("span", out, this.outSince(person.presence_at)) : t(away ? "presence.left" : `status.${person.status}`);
    return h("li.tapped", {}, h(`button.seat.${tone}`, { type: "button", "data-candidate": person.external_id, onclick: () => this.open(person.entry_id) },
      h("span.row.between", {}, h("strong", {}, person.seat ?? "–"), h("span.small", {}, status)),
      h("span.name", {}, nameOf(person)),
      h("span.row.between.small", {}, person.display_name ? h("span.muted", {}, person.external_id) : h("span", {}), h("span.marks", {}, marksOf(person)))), this.tap(person));
  }

  /** One tap that lets somebody in whose document was seen. */
  tap(person) {
    if (!this.oneTap || LET_IN.includes(person.status) || person.status === "refused") return "";
    return h("button.tap", { type: "button", "data-tap": person.external_id, onclick: (event) => this.seen(person, event.target) }, t("walk.seen"));
  }

  async seen(person, button) {
    button.disabled = true;
    try {
      await identify(this.one, person);
      toast(t("drawer.done", { name: nameOf(person), status: t("status.identified_manually") }), " ",
        h("button.plain", { type: "button", onclick: () => this.open(person.entry_id) }, t("drawer.correct")));
    } catch (error) {
      toast(error.message);
      button.disabled = false;
    }
  }

  open(entryId) {
    const person = this.people.get(entryId);
    if (person) this.draw(this.one, person);
  }
}

/** The flags of a candidate in a word each. */
function marksOf({ flags, extra_minutes, source }) {
  return [extra_minutes && t("flag.extra", { n: extra_minutes }), source === "paper" && t("paper.source"), flags.twin && t("flag.twin"), flags.manual_identification && t("flag.document"), flags.private_check && t("flag.apart"), flags.accommodation && t("flag.accommodation")].filter(Boolean).join(" · ");
}

/** For a screen in the hall: how many are in, and which seats are called; no name and no reason. */
function bigScreen(view, one) {
  document.body.classList.add("big");
  const figures = h("p.big-figures", { role: "status" });
  const state = h("p.big-state", {});
  const seats = h("ul.big-seats");
  const people = new Map();
  let waiting = [];
  const draw = () => {
    const isIn = [...people.values()].filter(({ status }) => status === "admitted" || status === "identified_manually").length;
    figures.replaceChildren(t("board.big_in", { n: isIn, all: people.size }), h("br"), h("span.wait", {}, t("board.title_waiting", { n: waiting.length })));
    const called = new Set(waiting.map((need) => need.candidate?.entry_id));
    seats.replaceChildren(...[...people.values()].sort(bySeat).map((person) =>
      h(`li.${called.has(person.entry_id) ? "wait" : TONES[person.status] ?? ""}`, {}, person.seat ?? "–",
        h("span.small", {}, called.has(person.entry_id) ? t("board.big_called") : t(`board.big_${person.status}`)))));
    setTitle(t("board.big_in", { n: isIn, all: people.size }), one.room);
  };
  const feed = follow(ofSession(one.id), {
    message: (kind, data) => {
      if (kind === "roster") return feed.again();
      if (kind === "snapshot") {
        people.clear();
        for (const person of data.candidates) people.set(person.entry_id, person);
      } else if (data.candidate) people.set(data.candidate.entry_id, data.candidate);
      waiting = data.waiting;
      draw();
    },
    state: (name, at) => {
      view.classList.toggle("stale", name === "lost");
      state.textContent = name === "live" ? "" : t(`board.${name}`, { time: clock(at ?? Date.now()) });
    },
  });
  const leave = (event) => event.key === "Escape" && (location.hash = `#/sessions/${one.id}/board`);
  addEventListener("keydown", leave);
  view.append(figures, state, seats, h("p", {}, h("a.button", { href: `#/sessions/${one.id}/board` }, t("board.big_leave"))));
  return () => {
    removeEventListener("keydown", leave);
    document.body.classList.remove("big");
    feed.stop();
  };
}
