// The first page after signing in: what is on today, or the five steps of a first run.

import { all, call, clock, date, h, may, STAFF, t } from "../page.js";
import { notice } from "../ui.js";
import { openComplaints } from "./complaints.js";
import { useAlarm } from "./installation.js";
import { subjects } from "./subjects.js";

const MOST_EXAMS = 20;
/** Exams of which sessions are asked for at once: the API takes no more. */
const MOST_NAMED = 100;
const DAY_MS = 86_400_000;

/** Where somebody begins: those who work at exams with those of today, a registrar with the people. */
export async function home(view) {
  if (may(...STAFF)) return today(view);
  if (may("subjects:read")) return subjects(view);
  view.append(h("h1", {}, t("home.title")), notice("wait", t("home.nothing")));
  return undefined;
}

/** The exams of yesterday to a week from now, and the newest whatever their dates, newest first; and their sessions. */
export async function current() {
  const inDays = (n) => new Date(Date.now() + n * DAY_MS).toISOString();
  const near = new URLSearchParams({ since: inDays(-1), until: inDays(7) });
  const [newest, ofTheseDays] = await Promise.all([call("GET", `/v1/exams?limit=${MOST_EXAMS}`), all(`/v1/exams?${near}`)]);
  const exams = [...new Map([...newest.items, ...ofTheseDays].map((exam) => [exam.id, exam])).values()];
  const sessions = [];
  for (let at = 0; at < exams.length; at += MOST_NAMED) {
    const named = new URLSearchParams(exams.slice(at, at + MOST_NAMED).map((exam) => ["exam_id", exam.id]));
    sessions.push(...await all(`/v1/sessions?${named}`));
  }
  return { exams, sessions };
}

async function today(view) {
  const [{ exams, sessions }, installation] = await Promise.all([current(), may("audit:read") ? call("GET", "/v1/installation") : null]);
  const candidates = sessions.some((session) => session.candidates > 0);
  const now = sessions.filter((session) => session.state === "open");
  const next = sessions.filter((session) => session.state === "upcoming");
  view.append(h("h1", {}, t("home.title")), installation?.use_alarms.length ? useAlarm(installation) : "");
  // The first session is mostly open before its roster is there: the steps stay until a second one is made.
  if (may("admin") && (!now.length || sessions.length === 1)) {
    const enrolled = (await call("GET", "/v1/subjects?limit=1&has_template=true")).items.length > 0;
    view.append(firstRun({ exams, sessions, candidates, enrolled }));
  } else if (!now.length && !next.length) {
    view.append(h("p.muted", {}, t("home.no_sessions")));
  }
  view.append(await openComplaints(), section("home.open", now), section("home.upcoming", next));
}

function firstRun({ exams, sessions, candidates, enrolled }) {
  const exam = exams[0];
  const session = sessions.at(-1);
  const steps = [
    ["home.step_key", true, null],
    ["home.step_exam", sessions.length > 0, exam ? `#/exams/${exam.id}` : "#/exams"],
    ["home.step_roster", candidates, session ? `#/sessions/${session.id}/roster` : null],
    ["home.step_enrol", enrolled, "#/subjects"],
    ["home.step_kiosk", false, session ? `#/sessions/${session.id}/kiosk` : null],
  ];
  return h("section.card.stack", { "aria-labelledby": "steps" },
    h("h2", { id: "steps" }, t("home.steps")),
    h("ol.steps", {}, steps.map(([text, done, to]) =>
      h(done ? "li.done" : "li", {}, h("div", {},
        to && !done ? h("a", { href: to }, t(text)) : h("strong", {}, t(text)),
        h("div.muted.small", {}, t(`${text}_help`)))))));
}

function section(title, sessions) {
  if (!sessions.length) return h("div", { hidden: true });
  return h("section.stack", {}, h("h2", {}, t(title)), h("div.grid", {}, sessions.map(sessionCard)));
}

/** A session as a card that leads to its board. */
export function sessionCard(session) {
  const when = `${date(session.opens_at)} – ${clock(session.closes_at)}`;
  return h("a.card", { href: `#/sessions/${session.id}/board` },
    h("div.row.between", {}, h("h3", {}, session.room), h(`span.tag.${session.state === "open" ? "good" : ""}`, {}, t(`session.${session.state}`))),
    h("div", {}, session.exam_name),
    h("div.muted.small", {}, when),
    h("div.muted.small", {}, t("session.candidates", { n: session.candidates })));
}
