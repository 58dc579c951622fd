// Readiness: who cannot be verified and why, who looks like whom, how old the photographs are.

import { call, day, h, may, newKey, setTitle, t } from "../page.js";
import { asking, notice, reasonText, table, when } from "../ui.js";
import { downloads, sheets } from "./downloads.js";

const YEAR_MS = 365 * 24 * 3600 * 1000;
/** Whom a picture would help. */
const LACKING = ["no_template", "old_model"];
const GRADES = ["match", "refer"];

export async function sessionReadiness(view, one) {
  const report = await call("GET", `/v1/sessions/${one.id}/readiness`, { timeout: 60000 });
  view.append(summary(report), downloads([...sheets(one), [`/v1/sessions/${one.id}/readiness.csv`, t("ready.export")]]), linksPanel(one, report), ...parts([report], report.look_alikes));
}

/** A link for everybody without a template, as a list for a mail merge. */
function linksPanel(one, report) {
  if (!may("enrol", "exams:write") || !report.cannot_verify.some((row) => LACKING.includes(row.reason))) return "";
  const make = async () => {
    const text = await call("POST", `/v1/sessions/${one.id}/enrolment-links?as_csv=true`, { key: newKey(), timeout: 60000 });
    const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    h("a", { href: url, download: `${t("enrol_link.file")}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
    shown.replaceChildren(notice("good", t("enrol_link.list_made")));
  };
  const shown = h("section.card.stack", { id: "enrol-links" }, h("p.muted", {}, t("enrol_link.list_help")), asking(t("enrol_link.list"), t("enrol_link.list_sure"), make));
  return shown;
}

/** All rooms of an exam at once, and who looks alike between them. */
export async function examReadiness(view, id) {
  const [exam, report] = await Promise.all([call("GET", `/v1/exams/${id}`), call("GET", `/v1/exams/${id}/readiness`, { timeout: 120000 })]);
  setTitle(t("session.tab_readiness"), exam.name);
  view.append(
    h("div", {}, h("a.small", { href: `#/exams/${id}` }, exam.name), h("h1", {}, t("session.tab_readiness"))),
    summary(report), downloads([[`/v1/exams/${id}/readiness.csv`, t("ready.export")]]),
    h("section.card.stack", {}, h("h2", {}, t("exam.sessions")), table(t("exam.sessions"), [
      [t("session.room"), (row) => h("a", { href: `#/sessions/${row.session_id}/readiness` }, row.room)],
      [t("ready.ready"), (row) => t("ready.of", { ready: row.ready, all: row.candidates })],
    ], report.sessions)),
    ...parts(report.sessions, report.look_alikes));
}

const summary = ({ ready, candidates }) => notice(ready < candidates ? "wait" : "good", t("ready.summary", { ready, all: candidates }));
const numberOf = (row) => (may("subjects:read") ? h("a", { href: `#/subjects/ext:${encodeURIComponent(row.external_id)}` }, row.external_id) : row.external_id);

/** The lists; the room stands in them where there are several. */
function parts(sessions, pairs) {
  const every = (name) => sessions.flatMap((one) => one[name].map((row) => ({ ...row, room: one.room })));
  const room = sessions.length > 1 ? [[t("session.room"), (row) => row.room]] : [];
  const who = [...room, [t("person.number"), numberOf], [t("person.name"), (row) => row.display_name]];
  const cannot = every("cannot_verify");
  const expiring = every("legal_basis_expiring");
  return [
    h("section.card.stack", {}, h("h2", {}, t("ready.cannot")), cannot.length ? table(t("ready.cannot"), [
      ...who, [t("person.seat"), (row) => row.seat], [t("ready.why"), (row) => reasonText(row.reason)],
    ], cannot) : h("p.muted", {}, t("ready.nobody"))),
    expiring.length ? h("section.card.stack", {}, h("h2", {}, t("ready.expiring")), h("p.muted", {}, t("ready.expiring_help")), table(t("ready.expiring"), [
      ...who, [t("ready.ends"), (row) => when(row.expires_at)], ["", (row) => (row.ends_before_session ? t("ready.before_session") : "")],
    ], expiring)) : "",
    h("section.card.stack", { id: "look-alikes" }, h("h2", {}, t("ready.look_alikes")), h("p.muted", {}, t("ready.look_alikes_help")),
      ...(pairs.length ? GRADES.flatMap((grade) => graded(grade, pairs.filter((pair) => pair.grade === grade))) : [h("p.muted", {}, t("ready.no_pairs"))])),
    photographs(every("photographs").sort((a, b) => a.enrolled_at.localeCompare(b.enrolled_at)), who),
  ].filter(Boolean);
}

const person = (who) => `${who.display_name ?? who.external_id} (${who.external_id})`;

function graded(grade, pairs) {
  if (!pairs.length) return [];
  return [h("h3", {}, t(`ready.grade_${grade}`, { n: pairs.length })), h("p.muted.small", {}, t(`ready.grade_${grade}_help`)),
    table(t(`ready.grade_${grade}`, { n: pairs.length }), [
      [t("ready.one"), (pair) => person(pair.a)],
      [t("ready.other"), (pair) => person(pair.b)],
      ...(pairs.some(({ d }) => d !== undefined) ? [["d", (pair) => pair.d?.toFixed(3)]] : []),
      [t("ready.twins"), (pair) => (pair.flagged_twins ? "✓" : "")],
    ], pairs)];
}

/** How old the photographs are: those of more than a year stand in the page, the others are folded away. */
function photographs(rows, who) {
  if (!rows.length) return "";
  const isOld = ({ enrolled_at }) => Date.now() - Date.parse(enrolled_at) > YEAR_MS;
  const old = rows.filter(isOld);
  const shown = old.length ? old : rows;
  return h("details.card", { open: old.length > 0, id: "photographs" },
    h("summary", {}, old.length ? t("ready.old_photographs", { n: old.length }) : t("ready.photographs", { day: day(rows[0].enrolled_at) })),
    table(t("ready.photographs_of"), [...who, [t("ready.enrolled_on"), (row) => day(row.enrolled_at)]], shown));
}
