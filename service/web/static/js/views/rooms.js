// All rooms on one board: who needs a person in any open session, oldest first, and how each room stands.

import { call, clock, h, t } from "../page.js";
import { ofRooms } from "../live.js";
import { Queue } from "./queue.js";

/** @typedef {import("api").components["schemas"]["Room"]} Room */

/**
 * @param {HTMLElement} view
 * @param {string} [examId] Of this exam alone.
 */
export async function rooms(view, examId) {
  const exam = examId ? await call("GET", `/v1/exams/${examId}`) : null;
  return new RoomsBoard(view, exam).start();
}

class RoomsBoard extends Queue {
  /**
   * @param {HTMLElement} view
   * @param {{id: string, name: string} | null} exam
   */
  constructor(view, exam) {
    super(view);
    this.exam = exam;
    /** @type {Map<string, Room>} */
    this.rooms = new Map();
    this.list = h("ul.grid.rooms", { id: "rooms", "aria-labelledby": "rooms-title" });
    view.append(
      h("div", {}, exam ? h("a.small", { href: `#/exams/${exam.id}` }, exam.name) : "", h("h1", {}, t("rooms.title"))),
      this.line, this.tools(), this.queue,
      h("section.stack", {}, h("h2", { id: "rooms-title" }, t("rooms.open")), this.list));
    this.state("connecting");
    this.title();
  }

  source() {
    return ofRooms(this.exam?.id);
  }

  place() {
    return [t("rooms.title"), ...(this.exam ? [this.exam.name] : [])];
  }

  sessionOf(need) {
    return this.rooms.get(need.session_id)?.session;
  }

  roomOf(need) {
    return h("div.room", {}, h("strong", {}, need.room), this.exam ? "" : h("span.muted.small", {}, ` · ${this.sessionOf(need)?.exam_name}`));
  }

  message(kind, data) {
    if (kind === "rooms") this.begin(data);
    else if (!this.rooms.has(data.session_id)) return;
    else this.change(data);
    this.callFor();
    this.show();
  }

  begin({ rooms: open, waiting }) {
    this.rooms = new Map(open.map((room) => [room.session.id, room]));
    if (open.length) this.offset = Date.parse(open[0].session.server_time) - Date.now();
    this.waiting = waiting;
    if (this.filter.length > 20 && !this.rooms.has(this.filter)) this.filter = "all";
  }

  change({ session_id, counts, session, waiting, candidate }) {
    const room = this.rooms.get(session_id);
    this.rooms.set(session_id, { counts, session: session ?? room.session });
    this.waitIn(session_id, waiting);
    if (candidate) this.drawer?.changed(candidate);
  }

  counts() {
    const waits = (is) => this.waiting.filter(is).length;
    return [
      { name: "all", n: this.waiting.length, text: t("board.filter_all"), calls: true },
      { name: "referred", n: waits(({ kind }) => kind === "referred"), text: t("rooms.filter_referred") },
      { name: "declined", n: waits(({ kind }) => kind === "declined"), text: t("rooms.filter_declined") },
      ...[...this.rooms].map(([id, { session }]) => ({ name: id, n: waits((need) => need.session_id === id), text: this.nameOf(session) })),
    ];
  }

  /** A room, with its exam where another one is called the same. */
  nameOf({ id, room, exam_name }) {
    const isCalledSo = [...this.rooms.values()].some(({ session }) => session.room === room && session.id !== id);
    return isCalledSo ? `${room} · ${exam_name}` : room;
  }

  isShown(need) {
    return super.isShown(need) && (this.filter === "all" || need.kind === this.filter || need.session_id === this.filter);
  }

  show() {
    super.show();
    this.list.replaceChildren(...[...this.rooms.values()].map((room) => h("li", {}, this.room(room))));
    if (!this.rooms.size) this.list.replaceChildren(h("li.muted", {}, t("rooms.none")));
  }

  /** @param {Room} room */
  room({ session, counts }) {
    const isIn = counts.admitted + counts.identified_manually;
    return h("a.card", { href: `#/sessions/${session.id}/board`, "data-room": session.id },
      h("h3", {}, session.room),
      this.exam ? "" : h("div", {}, session.exam_name),
      h("div.muted.small", {}, [t("board.big_in", { n: isIn, all: counts.candidates }), t("rooms.closes", { time: clock(session.closes_at) })].join(" · ")));
  }
}
