// Who needs a person, oldest first, live: what the board of a session and the board of all rooms have in common.

import { call, clock, h, may, setTitle, t } from "../page.js";
import { again, announce, needText, notice, toast } from "../ui.js";
import { isOn, ring, turn } from "../alerts.js";
import { follow } from "../live.js";
import { openDrawer } from "./drawer.js";
import { heldText } from "./held.js";

/** @typedef {import("api").components["schemas"]["Candidate"]} Candidate */
/** @typedef {import("api").components["schemas"]["Session"]} Session */
/** @typedef {import("api").components["schemas"]["Waiting"]} Waiting */

const SWITCHES = ["sound", "badge"];

export const nameOf = (person) => person.display_name ?? person.external_id;
/** Text as it is compared in a search: without accents, in small letters. */
const plain = (text) => (text ?? "").normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/**
 * Subclasses say what is followed (`source`), where (`place`), what the counts are (`counts`), whose session a need
 * is of (`sessionOf`), and draw what else there is (`show`).
 */
export class Queue {
  /** @param {HTMLElement} view */
  constructor(view) {
    this.view = view;
    /** How far the server's clock is ahead of this one. */
    this.offset = 0;
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
  }

  /** @returns {import("../live.js").Source} */
  source() {
    throw new Error("what is followed is not said");
  }

  /** The parts of the title. @returns {string[]} */
  place() {
    return [];
  }

  /** The filters in order: name, how many, words, whether it calls for a person.
   * @returns {{name: string, n: number, text: string, calls?: boolean}[]} */
  counts() {
    return [];
  }

  /** @param {Waiting} _need @returns {any} */
  sessionOf(_need) {
    throw new Error("whose session it is is not said");
  }

  /** Whether somebody who waits is in what is looked for. @param {Waiting} need */
  isShown(need) {
    return this.isSought(need.candidate);
  }

  /** Where somebody waits, besides seat and kiosk. @param {Waiting} _need @returns {HTMLElement | null} */
  roomOf(_need) {
    return null;
  }

  /** @param {string} _kind @param {any} _data */
  message(_kind, _data) {}

  start() {
    this.feed = follow(this.source(), { message: (kind, data) => this.message(kind, data), state: (name, at, missing) => this.state(name, at, missing) });
    const ticking = setInterval(() => this.tick(), 15000);
    return () => {
      this.feed.stop();
      clearInterval(ticking);
      this.drawer?.close();
    };
  }

  /** Search, filters, switches and what else there is.
   * @param {HTMLElement | string} [beside] @param {HTMLElement[]} links */
  tools(beside = "", ...links) {
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
      beside,
      h("div.row.end", {}, ...switches, ...links));
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

  /** What is said of whoever is missing at the end. @param {any[]} _people @returns {HTMLElement | string} */
  missing(_people) {
    return "";
  }

  /** What is next to a candidate's card. @param {Candidate} _person @returns {HTMLElement | string} */
  tap(_person) {
    return "";
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
    if (was === "lost" && name === "live") announce(t("board.live_again"));
  }

  title() {
    const n = this.waiting.length;
    setTitle(...(n && isOn("badge") ? [t("board.title_waiting", { n })] : []), ...this.place());
  }

  isSought(person) {
    return !this.sought || [person?.display_name, person?.external_id, person?.seat].some((text) => plain(text).includes(this.sought));
  }

  show() {
    this.title();
    this.showFilters();
    this.showQueue();
  }

  showFilters() {
    const focused = this.filters.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.filter : null;
    this.filters.replaceChildren(...this.counts().map(({ name, n, text, calls }) =>
      h(`button.count.${calls && n ? "wait" : ""}`, {
        type: "button", "data-filter": name, "aria-pressed": String(this.filter === name),
        onclick: () => {
          this.filter = this.filter === name ? "all" : name;
          this.show();
        },
      }, h("b", {}, String(n)), " ", text)));
    if (focused) /** @type {HTMLElement | null} */ (this.filters.querySelector(`[data-filter="${focused}"]`))?.focus();
  }

  showQueue() {
    const found = this.waiting.filter((need) => this.isShown(need));
    const focused = this.queue.contains(document.activeElement) ? document.activeElement.closest("[data-need]")?.getAttribute("data-need") : null;
    this.queue.replaceChildren(
      h("h2", { id: "waiting-title", tabindex: "-1" }, t("board.waiting", { n: this.waiting.length })),
      this.waiting.length ? h("ol.queue", {}, found.map((need) => h("li", { "data-need": need.id }, this.card(need))))
        : h("p.muted", {}, t("board.nobody_waits")));
    // Whoever was on a card that is settled goes on from the head of the queue.
    if (focused) /** @type {HTMLElement | null} */ (this.queue.querySelector(`[data-need="${focused}"] :is(a, button)`) ?? this.queue.querySelector("h2"))?.focus();
  }

  /** @param {Waiting} need */
  card(need) {
    const { candidate } = need;
    const room = this.roomOf(need);
    const inside = [
      h("div.row.between", {}, h("h3", {}, candidate ? nameOf(candidate) : t(need.checkin_id ? "case.nobody" : "board.nobody_known")),
        h("span.since", { "data-since": need.since }, this.since(need.since))),
      ...(room ? [room] : []),
      h("div.muted.small", {}, [candidate && candidate.display_name ? candidate.external_id : null, candidate?.seat && t("board.seat", { seat: candidate.seat }), need.kiosk].filter(Boolean).join(" · ")),
      ...(need.held ? [h("div.row.tight", {}, h("span.tag", {}, heldText(need)))] : []),
      h("ul.needs", {}, need.reasons.map((code) => h("li", {}, needText(code)))),
      ...(candidate ? flagTags(candidate) : []),
    ];
    if (need.checkin_id) return h("a.card.wait", { href: `#/sessions/${need.session_id}/case/${need.checkin_id}` }, ...inside);
    if (candidate) return h("div.tapped", {}, h("button.card.wait", { type: "button", onclick: () => this.draw(this.sessionOf(need), candidate) }, ...inside), this.tap(candidate));
    return h("div.card.wait", {}, ...inside, may("override") ? h("button", { type: "button", onclick: (event) => this.attend(need, event) }, t("board.seen_to")) : "");
  }

  /** @param {Waiting} need */
  async attend(need, event) {
    event.target.disabled = true;
    try {
      const rest = await call("POST", `/v1/sessions/${need.session_id}/waiting/attended`, { json: { id: need.id } });
      this.waitIn(need.session_id, rest.items);
    } catch (error) {
      toast(error.message);
      this.feed.again();
    }
    this.show();
  }

  /** These wait in a session, and nobody else there.
   * @param {string} sessionId @param {Waiting[]} items */
  waitIn(sessionId, items) {
    const others = this.waiting.filter((need) => need.session_id !== sessionId);
    this.waiting = [...others, ...items].sort((a, b) => Number(b.held) - Number(a.held) || Date.parse(a.since) - Date.parse(b.since));
  }

  since(moment) {
    const minutes = Math.max(0, Math.floor((Date.now() + this.offset - Date.parse(moment)) / 60000));
    return minutes ? t("board.since", { minutes, time: clock(moment) }) : t("board.since_now");
  }

  tick() {
    for (const node of this.queue.querySelectorAll("[data-since]")) node.textContent = this.since(node.getAttribute("data-since"));
  }

  /** Where the focus goes when a drawer closes and what opened it was drawn anew, or is gone.
   * @param {Candidate} person @param {string | null} [from] */
  takeFocus(person, from) {
    if (document.activeElement !== document.body) return;
    const card = from && this.queue.querySelector(`[data-need="${from}"] :is(a, button)`);
    const seat = from ? null : this.view.querySelector(`.seat[data-candidate="${CSS.escape(person.external_id)}"]`);
    /** @type {HTMLElement | null} */ (card ?? seat ?? this.queue.querySelector("#waiting-title"))?.focus();
  }

  /** Open somebody's drawer.
   * @param {any} session @param {Candidate} person */
  draw(session, person) {
    this.drawer?.close();
    const from = document.activeElement?.closest("[data-need]")?.getAttribute("data-need");
    this.drawer = openDrawer(session, person, {
      needs: () => this.waiting.filter((need) => need.candidate?.entry_id === person.entry_id).flatMap((need) => need.reasons),
      closed: () => {
        this.drawer = null;
        this.takeFocus(person, from);
      },
      decided: () => this.shown === "closed" && again(),
    });
  }
}

export function flagTags({ flags }) {
  const texts = [flags.twin && t("roster.twin"), flags.manual_identification && t("roster.by_document"), flags.private_check && t("flag.apart"), flags.accommodation].filter(Boolean);
  return texts.length ? [h("div.row.tight", {}, texts.map((text) => h("span.tag", {}, text)))] : [];
}
