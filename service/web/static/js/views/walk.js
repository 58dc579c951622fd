// At the seat: a tablet that is carried through the room, seat by seat; each is compared with its candidate.

import { all, call, h, may, newKey, t } from "../page.js";
import { notice, tag } from "../ui.js";
import { Device } from "../kiosk/device.js";
import { look } from "../kiosk/look.js";
import { identify, usualField } from "../usual.js";
import { bySeat } from "./board.js";
import { flagTags, nameOf } from "./queue.js";

const LET_IN = ["admitted", "identified_manually"];
const SHOWN_MS = 900;

export async function walk(view, session) {
  if (!may("checkin", "override")) {
    view.append(notice("", t("walk.not_allowed")));
    return () => {};
  }
  const people = (await all(`/v1/sessions/${session.id}/roster`)).sort(bySeat);
  if (!people.length) {
    view.append(h("p.muted", {}, t("board.no_roster")));
    return () => {};
  }
  return new Walk(view, session, people).start();
}

class Walk {
  constructor(view, session, people) {
    this.session = session;
    this.people = people;
    /** What became of each seat on this walk. */
    this.said = new Map();
    this.looks = session.faces !== "off";
    /** The number of the present look; an older one is given up. */
    this.turn = 0;
    this.video = /** @type {HTMLVideoElement} */ (h("video.walk-camera", { muted: true, playsinline: true, "aria-hidden": "true" }));
    this.progress = h("p", { id: "walk-progress", role: "status" });
    this.card = h("section.card.stack.walk-card", { id: "walk-card", "aria-live": "polite" });
    this.seats = h("ol.walk-seats", { "aria-label": t("board.seats") });
    view.append(h("div.row.between", {}, this.progress, usualField(() => this.draw())), h("div.walk", {}, this.looks ? this.video : "", this.card), this.seats);
    this.at = this.next(-1);
  }

  start() {
    this.video.muted = true;
    this.device = new Device(this.video, () => this.draw(), "environment");
    if (this.looks) this.device.start();
    this.go(this.at);
    return () => {
      this.turn += 1;
      this.device.stop();
    };
  }

  isDone = (person) => LET_IN.includes(person.status) || this.said.has(person.entry_id);

  /** The next seat that nobody has been at, behind one; from the front again at the end; -1 where all are done. */
  next(at) {
    const order = this.people.map((_, place) => (at + 1 + place) % this.people.length);
    const left = order.filter((place) => !this.isDone(this.people[place]));
    // Whoever was at a door and is not in is a case on the board, which somebody has begun: they come last.
    return left.find((place) => this.people[place].status === "expected") ?? left[0] ?? -1;
  }

  async go(at) {
    const turn = (this.turn += 1);
    this.at = at;
    this.word = "";
    this.result = "";
    this.draw();
    const person = this.people[at];
    if (!person || this.isDone(person) || !this.looks || person.flags.manual_identification || person.flags.private_check) return;
    const current = () => turn === this.turn;
    const found = await look(this.device, current, { say: (text) => this.say(text), offline: () => {}, ended: () => location.reload(), patient: true });
    if (!current() || found === null || found === "nobody") return;
    await this.act(person, () => this.compare(person, found));
  }

  say(text) {
    if (this.word === text) return;
    this.word = text;
    const line = this.card.querySelector("#walk-word");
    if (line) line.textContent = text;
  }

  async compare(person, { picture, final }) {
    const form = new FormData();
    form.append("image", picture, "probe.jpg");
    form.append("candidate", person.external_id);
    form.append("client_time", new Date().toISOString());
    // Whoever sits in front of the tablet is not asked to try again: a person stands next to them.
    form.append("final", String(final));
    return (await call("POST", `/v1/sessions/${this.session.id}/checkins`, { form, key: newKey() })).checkin;
  }

  /** Do something about the present seat, show what came of it, and go on. */
  async act(person, doIt) {
    const turn = (this.turn += 1);
    try {
      const checkin = await doIt();
      person.status = checkin.effective_outcome;
      this.said.set(person.entry_id, person.status);
      this.result = t("walk.done", { status: t(`status.${person.status}`) });
    } catch (error) {
      this.result = error.message;
      this.draw();
      return;
    }
    this.draw();
    setTimeout(() => turn === this.turn && this.go(this.next(this.at)), SHOWN_MS);
  }

  empty(person) {
    this.said.set(person.entry_id, "empty");
    this.go(this.next(this.at));
  }

  draw() {
    const seen = this.people.filter(this.isDone).length;
    this.progress.textContent = t("walk.progress", { n: seen, all: this.people.length });
    const person = this.people[this.at];
    this.card.replaceChildren(...(person ? this.cardOf(person) : [h("h2", {}, t("walk.finished")), h("p", {}, t("walk.finished_detail"))]));
    this.seats.replaceChildren(...this.people.map((one, place) => h("li", {},
      h(`button.small.${this.toneOf(one)}`, { type: "button", "aria-current": place === this.at && "true", onclick: () => this.go(place) }, one.seat ?? one.external_id))));
  }

  toneOf(person) {
    if (this.said.get(person.entry_id) === "empty") return "empty";
    return LET_IN.includes(person.status) ? "good" : { referred: "wait", refused: "bad" }[person.status] ?? "";
  }

  cardOf(person) {
    const tap = may("override") && !LET_IN.includes(person.status);
    return [
      h("div.row.between", {}, h("h2", { id: "walk-seat" }, t("board.seat", { seat: person.seat ?? "–" })), tag(person.status)),
      h("p.walk-name", {}, nameOf(person)),
      h("p.muted", { "data-candidate": person.external_id }, person.external_id),
      ...flagTags(person),
      this.device?.problem && this.looks ? notice("wait", this.device.problem) : "",
      h("p", { id: "walk-word", role: "status" }, this.result || this.word),
      h("div.row", {},
        h("button", { type: "button", id: "walk-empty", onclick: () => this.empty(person) }, t("walk.empty")),
        tap ? h("button.primary", { type: "button", id: "walk-seen", onclick: () => this.act(person, async () => (await identify(this.session, person)).checkin) }, t("walk.seen")) : "",
        h("button.plain", { type: "button", id: "walk-next", onclick: () => this.go(this.next(this.at)) }, t("walk.next"))),
    ];
  }
}
