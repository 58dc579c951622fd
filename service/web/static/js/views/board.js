// The live board: who needs a person, oldest first, and every seat of the session as it stands now.

import { call, clock, date, h, may, setTitle, t, zone } from "../page.js";
import { TONES, again, announce, needText, notice, toast } from "../ui.js";
import { isOn, ring, turn } from "../alerts.js";
import { follow } from "../live.js";
import { identify, usualField } from "../usual.js";
import { openDrawer } from "./drawer.js";

/** @typedef {import("api").components["schemas"]["Candidate"]} Candidate */
/** @typedef {import("api").components["schemas"]["Waiting"]} Waiting */
/** @typedef {import("api").components["schemas"]["Session"]} Session */

const FILTERS = ["all", "waiting", "expected", "admitted", "identified_manually", "refused", "out", "left"];
const SWITCHES = ["sound", "badge"];
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

export const nameOf = (person) => person.display_name ?? person.external_id;
export const bySeat = (a, b) => String(a.seat ?? "~").localeCompare(String(b.seat ?? "~"), undefined, { numeric: true });
/** Text as it is compared in a search: without accents, in small letters. */
const plain = (text) => (text ?? "").normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

class Board {
  /**
   * @param {HTMLElement} view
   * @param {Session} one
   */
  constructor(view, one) {
    this.one = one;
    this.offset = Date.parse(one.server_time) - Date.now();
    /** @type {Map<string, Candidate>} */
    this.people = new Map();
    /** @type {Map<string, {node: HTMLElement, drawn: string}>} */
    this.tiles = new Map();
    /** @type {Waiting[]} */
    this.waiting = [];
    /** Who was called for already; null before the first board. */
    this.called = /** @type {Set<string> | null} */ (null);
    this.filter = "all";
    this.sought = "";
    this.drawer = null;
    this.line = h("div", { id: "line", role: "status" });
    this.filters = h("div.filters", { role: "group", "aria-label": t("board.filter") });
    this.queue = h("section.stack", { id: "waiting", "aria-labelledby": "waiting-title" });
    this.seats = h("ul.seats", { id: "seats", "aria-labelledby": "seats-title" });
    this.nobody = h("p.muted", { hidden: true }, t("board.nobody_found"));
    /** Where no face is looked at, one tap on a seat says that the usual document was seen. */
    this.oneTap = one.faces === "off" && may("override");
    this.roster = one.candidates ? null : notice("wait", t("board.no_roster"), " ", h("a", { href: `#/sessions/${one.id}/roster` }, t("session.tab_roster")));
    view.append(...[this.roster, this.line, this.tools(), this.queue,
      h("section.stack", {}, h("h2", { id: "seats-title" }, t("board.seats")), this.nobody, this.seats)].filter(Boolean));
    this.view = view;
    this.state("connecting");
  }

  start() {
    this.feed = follow(this.one.id, { message: (kind, data) => this.message(kind, data), state: (name, at, missing) => this.state(name, at, missing) });
    const ticking = setInterval(() => this.tick(), 15000);
    return () => {
      this.feed.stop();
      clearInterval(ticking);
      this.drawer?.close();
    };
  }

  tools() {
    const search = h("input", { type: "search", id: "board-search", placeholder: t("board.search_hint"), autocomplete: "off" });
    search.addEventListener("input", () => {
      this.sought = plain(search.value.trim());
      this.show();
    });
    const switches = SWITCHES.map((name) => {
      const box = h("input", { type: "checkbox", id: `switch-${name}`, checked: isOn(name) });
      box.addEventListener("change", () => {
        turn(name, box.checked);
        this.title();
      });
      return h("label.check", { for: `switch-${name}` }, box, t(`board.switch_${name}`));
    });
    return h("div.board-tools", {},
      h("label.search", {}, h("span.sr-only", {}, t("board.search")), search),
      this.filters,
      this.oneTap ? usualField() : "",
      h("div.row.end", {}, ...switches, h("a.button", { href: `#/sessions/${this.one.id}/board/big` }, t("board.big"))));
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

  /** Ring for whoever was not waiting before. */
  callFor() {
    const called = this.called;
    const fresh = called === null ? [] : this.waiting.filter(({ id }) => !called.has(id));
    this.called = new Set(this.waiting.map(({ id }) => id));
    if (!fresh.length) return;
    ring();
    announce(t("board.called", { n: this.waiting.length }));
  }

  state(name, at = undefined, missing = []) {
    if (name === this.shown && name !== "closed") return;
    const was = this.shown;
    this.shown = name;
    this.view.classList.toggle("stale", name === "lost");
    const text = {
      connecting: () => h("p.muted.small", {}, t("board.connecting")),
      live: () => h("p.muted.small", {}, h("span.dot", {}), t("board.live")),
      lost: () => notice("bad", h("strong", {}, t("board.lost", { time: clock(Date.now()) })), " ", t("board.lost_help")),
      closed: () => h("div.stack", {}, notice("", t("board.closed", { time: clock(at) })), this.missing(missing)),
      gone: () => notice("bad", t("board.gone")),
    }[name];
    this.line.replaceChildren(text());
    if (name === "closed") {
      this.one.state = "closed";
      document.getElementById("session-window")?.replaceChildren(sessionWindow(/** @type {any} */ ({ ...this.one, server_time: this.one.closes_at })));
    }
    if (was === "lost" && name === "live") announce(t("board.live_again"));
  }

  /** Who went out and never came back, when the session is over. */
  missing(people) {
    const out = people.length ? people : [...this.people.values()].filter(({ presence }) => presence === "out");
    return out.length ? notice("wait", t("board.not_returned", { names: out.map((one) => [nameOf(one), one.seat].filter(Boolean).join(", ")).join("; ") })) : "";
  }

  title() {
    const n = this.waiting.length;
    const place = [this.one.room, this.one.exam_name];
    setTitle(...(n && isOn("badge") ? [t("board.title_waiting", { n })] : []), ...place);
  }

  /** Whether somebody is in what is looked for. */
  matches(person, waits) {
    if (this.sought && ![person?.display_name, person?.external_id, person?.seat].some((text) => plain(text).includes(this.sought))) return false;
    if (this.filter === "out" || this.filter === "left") return person?.presence === this.filter;
    return this.filter === "all" || (this.filter === "waiting" ? waits : person?.status === this.filter && !waits);
  }

  show() {
    const waits = new Set(this.waiting.map((need) => need.candidate?.entry_id).filter(Boolean));
    this.title();
    this.showFilters(waits);
    this.showQueue();
    this.showSeats(waits);
  }

  showFilters(waits) {
    const counts = { all: this.people.size, waiting: this.waiting.length };
    for (const person of this.people.values()) {
      if (["out", "left"].includes(person.presence)) counts[person.presence] = (counts[person.presence] ?? 0) + 1;
      if (!waits.has(person.entry_id)) counts[person.status] = (counts[person.status] ?? 0) + 1;
    }
    const focused = this.filters.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.filter : null;
    const known = FILTERS.filter((name) => !["out", "left"].includes(name) || counts[name] || this.filter === name);
    this.filters.replaceChildren(...known.map((name) =>
      h(`button.count.${name === "waiting" && counts.waiting ? "wait" : ""}`, {
        type: "button", "data-filter": name, "aria-pressed": String(this.filter === name),
        onclick: () => {
          this.filter = this.filter === name ? "all" : name;
          this.show();
        },
      }, h("b", {}, String(counts[name] ?? 0)), " ", t(`board.filter_${name}`))));
    if (focused) /** @type {HTMLElement} */ (this.filters.querySelector(`[data-filter=${focused}]`)).focus();
  }

  showQueue() {
    const found = this.waiting.filter((need) => !this.sought || this.matches(need.candidate, true));
    const focused = this.queue.contains(document.activeElement) ? document.activeElement.closest("[data-need]")?.getAttribute("data-need") : null;
    this.queue.replaceChildren(
      h("h2", { id: "waiting-title" }, t("board.waiting", { n: this.waiting.length })),
      this.waiting.length ? h("ol.queue", {}, found.map((need) => h("li", { "data-need": need.id }, this.card(need))))
        : h("p.muted", {}, t("board.nobody_waits")));
    if (focused) /** @type {HTMLElement | null} */ (this.queue.querySelector(`[data-need="${focused}"] :is(a, button)`))?.focus();
  }

  /** @param {Waiting} need */
  card(need) {
    const { candidate } = need;
    const inside = [
      h("div.row.between", {}, h("h3", {}, candidate ? nameOf(candidate) : t(need.checkin_id ? "case.nobody" : "board.nobody_known")),
        h("span.since", { "data-since": need.since }, this.since(need.since))),
      h("div.muted.small", {}, [candidate && candidate.display_name ? candidate.external_id : null, candidate?.seat && t("board.seat", { seat: candidate.seat }), need.kiosk].filter(Boolean).join(" · ")),
      h("ul.needs", {}, need.reasons.map((code) => h("li", {}, needText(code)))),
      ...(candidate ? flagTags(candidate) : []),
    ];
    if (need.checkin_id) return h("a.card.wait", { href: `#/sessions/${this.one.id}/case/${need.checkin_id}` }, ...inside);
    if (candidate) return h("div.tapped", {}, h("button.card.wait", { type: "button", onclick: () => this.open(candidate.entry_id) }, ...inside), this.tap(candidate));
    return h("div.card.wait", {}, ...inside, may("override") ? h("button", { type: "button", onclick: (event) => this.attend(need, event) }, t("board.seen_to")) : "");
  }

  async attend(need, event) {
    event.target.disabled = true;
    try {
      const rest = await call("POST", `/v1/sessions/${this.one.id}/waiting/attended`, { json: { id: need.id } });
      this.waiting = rest.items;
    } catch (error) {
      toast(error.message);
      this.feed.again();
    }
    this.show();
  }

  since(moment) {
    const minutes = Math.max(0, Math.floor((Date.now() + this.offset - Date.parse(moment)) / 60000));
    return minutes ? t("board.since", { minutes, time: clock(moment) }) : t("board.since_now");
  }

  outSince(moment) {
    return t("presence.out_since", { minutes: Math.max(0, Math.floor((Date.now() + this.offset - Date.parse(moment)) / 60000)) });
  }

  tick() {
    for (const node of this.seats.querySelectorAll("[data-out]")) node.textContent = this.outSince(node.getAttribute("data-out"));
    for (const node of this.queue.querySelectorAll("[data-since]")) node.textContent = this.since(node.getAttribute("data-since"));
  }

  /** Only what has changed is drawn: a room has hundreds of seats. */
  showSeats(waits) {
    const order = [...this.people.values()].sort(bySeat);
    for (const [id, tile] of this.tiles) {
      if (this.people.has(id)) continue;
      tile.node.remove();
      this.tiles.delete(id);
    }
    let shown = 0;
    order.forEach((person, place) => {
      const isWaiting = waits.has(person.entry_id);
      const drawn = JSON.stringify([person.seat, person.status, person.display_name, person.external_id, person.flags, person.presence, person.presence_at, isWaiting]);
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
    const away = ["out", "left"].includes(person.presence);
    const tone = isWaiting ? "wait" : away ? person.presence : TONES[person.status] ?? "";
    const out = { "data-out": person.presence_at };
    const status = isWaiting ? t("board.needs_person") : person.presence === "out" ? h("span", out, this.outSince(person.presence_at)) : t(away ? "presence.left" : `status.${person.status}`);
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
    if (!person) return;
    this.drawer?.close();
    this.drawer = openDrawer(this.one, person, {
      needs: () => this.waiting.filter((need) => need.candidate?.entry_id === entryId).flatMap((need) => need.reasons),
      closed: () => {
        this.drawer = null;
      },
      decided: () => this.shown === "closed" && again(),
    });
  }
}

/** The flags of a candidate in a word each. */
function marksOf({ flags }) {
  return [flags.twin && t("flag.twin"), flags.manual_identification && t("flag.document"), flags.accommodation && t("flag.accommodation")].filter(Boolean).join(" · ");
}

export function flagTags({ flags }) {
  const texts = [flags.twin && t("roster.twin"), flags.manual_identification && t("roster.by_document"), flags.accommodation].filter(Boolean);
  return texts.length ? [h("div.row.tight", {}, texts.map((text) => h("span.tag", {}, text)))] : [];
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
  const feed = follow(one.id, {
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
