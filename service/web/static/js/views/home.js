// The first page after signing in: what is on today, or the five steps of a first run.

import { all, call, clock, date, h, t } from "../page.js";

export async function home(view) {
  const exams = await all("/v1/exams");
  const enrolled = (await call("GET", "/v1/subjects?limit=1&has_template=true")).items.length > 0;
  const sessions = (await Promise.all(exams.slice(-20).map((exam) => all(`/v1/exams/${exam.id}/sessions`)))).flat();
  const candidates = sessions.some((session) => session.candidates > 0);
  const now = sessions.filter((session) => session.state === "open");
  const next = sessions.filter((session) => session.state === "upcoming");
  view.append(h("h1", {}, t("home.title")));
  // The first session is mostly open before its roster is there: the steps stay until a second one is made.
  if (!now.length || sessions.length === 1) view.append(firstRun({ exams, sessions, candidates, enrolled }));
  view.append(section("home.open", now), section("home.upcoming", next));
}

function firstRun({ exams, sessions, candidates, enrolled }) {
  const exam = exams.at(-1);
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
