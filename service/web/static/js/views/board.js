// The live board: every seat of the session as it stands now, and who is waiting for a decision.

import { clock, date, h, t, textOf } from "../page.js";
import { TONES, announce, notice, reasonText } from "../ui.js";

const COUNTS = ["expected", "admitted", "identified_manually", "referred", "refused"];

/** @typedef {import("api").components["schemas"]["Candidate"]} Candidate */
/** @typedef {import("api").components["schemas"]["Session"]} Session */

/**
 * @param {HTMLElement} view
 * @param {Session} one
 */
export function board(view, one) {
  const counts = h("div.counts", { "aria-label": t("board.counts") });
  const waiting = h("section.stack");
  const attention = h("section.stack", { id: "trying" });
  const seats = h("div.seats");
  const state = h("p.muted.small", { role: "status" }, t("board.connecting"));
  /** @type {Map<string, Candidate>} */
  const people = new Map();
  // Who was turned away without an attempt, newest last; gone once something is recorded of them.
  const trying = new Map();
  view.append(counts, waiting, attention, h("section.stack", {}, h("div.row.between", {}, h("h2", {}, t("board.seats")), state), seats));

  const draw = () => {
    const everyone = [...people.values()].sort(bySeat);
    seats.replaceChildren(...everyone.map(seatOf));
    const referred = everyone.filter((person) => person.status === "referred");
    waiting.replaceChildren(...(referred.length ? [h("h2", {}, t("board.waiting", { n: referred.length })),
      h("div.grid", {}, referred.map((person) => waitingCard(person, one)))] : []));
    attention.replaceChildren(...(trying.size ? [h("h2", {}, t("board.trying", { n: trying.size })),
      h("div.grid", {}, [...trying.values()].map(tryingCard))] : []));
  };
  const showCounts = (numbers) => counts.replaceChildren(
    ...COUNTS.map((name) => h("div", {}, h("b", {}, String(numbers[name] ?? 0)), t(`status.${name}`))));
  const moved = (data) => {
    if (data.candidate) {
      trying.delete(data.candidate.entry_id);
      people.set(data.candidate.entry_id, data.candidate);
      announce(t("board.moved", { name: nameOf(data.candidate), status: t(`status.${data.candidate.status}`) }));
    }
    if (data.counts) showCounts(data.counts);
    draw();
  };

  const declined = (data) => {
    const who = data.candidate?.entry_id ?? `kiosk ${data.kiosk}`;
    trying.delete(who);
    trying.set(who, data);
    if (data.candidate) people.set(data.candidate.entry_id, data.candidate);
    if (data.counts) showCounts(data.counts);
    draw();
  };
  const changed = (data) => {
    if (!data.session) return;
    Object.assign(one, data.session);
    document.getElementById("session-window")?.replaceChildren(sessionWindow(one));
    announce(t("board.changed", { time: clock(one.closes_at) }));
  };

  const source = new EventSource(`/v1/sessions/${one.id}/live`);
  const on = (name, act) => source.addEventListener(name, (event) => act(JSON.parse(event.data)));
  source.onopen = () => (state.textContent = t("board.live"));
  source.onerror = () => (state.textContent = t("board.reconnecting"));
  on("snapshot", (data) => {
    people.clear();
    trying.clear();
    for (const person of data.candidates) people.set(person.entry_id, person);
    showCounts(data.counts);
    draw();
  });
  on("checkin", moved);
  on("override", moved);
  on("declined", declined);
  on("session", changed);
  on("roster", () => location.reload());
  on("closed", (data) => {
    source.close();
    state.textContent = t("board.closed", { time: clock(data.closed_at) });
  });
  if (!one.candidates) view.prepend(notice("wait", t("board.no_roster"), " ", h("a", { href: `#/sessions/${one.id}/roster` }, t("session.tab_roster"))));
  return () => source.close();
}

/** When a session opens and closes, and how it stands.
 * @param {Session} one */
export const sessionWindow = (one) => `${date(one.opens_at)} – ${clock(one.closes_at)} · ${t(`session.${one.state}`)}`;

const nameOf = (person) => person.display_name ?? person.external_id;
const bySeat = (a, b) => String(a.seat ?? "~").localeCompare(String(b.seat ?? "~"), undefined, { numeric: true });

/** @param {Candidate} person */
function seatOf(person) {
  return h(`div.seat.${TONES[person.status] ?? ""}`, { "data-candidate": person.external_id },
    h("div.row.between", { style: "gap:6px" }, h("strong", {}, person.seat ?? "–"),
      h("span.small", {}, person.status === "expected" ? "" : t(`status.${person.status}`))),
    h("div.name", { title: nameOf(person) }, nameOf(person)),
    h("div.muted.small", {}, person.external_id));
}

/**
 * @param {Candidate} person
 * @param {Session} one
 */
function waitingCard(person, one) {
  return h("a.card", { href: `#/sessions/${one.id}/case/${person.checkin_id}` },
    h("h3", {}, nameOf(person)),
    h("div.muted.small", {}, `${person.external_id} · ${t("person.seat")} ${person.seat ?? "–"} · ${clock(person.status_at)}`),
    h("span.tag.wait", {}, t("board.decide")));
}

function tryingCard({ candidate, code, kiosk, at }) {
  return h("div.card", {},
    h("h3", {}, candidate ? nameOf(candidate) : t("board.nobody_known")),
    h("div.muted.small", {}, [candidate?.external_id, kiosk, clock(at)].filter(Boolean).join(" · ")),
    h("p", {}, textOf(`problem.${code}`) ?? reasonText(code)));
}
