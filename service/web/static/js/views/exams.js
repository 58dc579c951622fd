// Exams and their sessions: made, copied, changed, taken away.

import { all, call, date, duration, h, may, oneIn, span, t, zone } from "../page.js";
import { again, choice, field, form, table } from "../ui.js";
import { downloads } from "./downloads.js";
import { groupsReport } from "./groups.js";
import { sessionCard } from "./home.js";
import { RULES, rulesForm } from "./rules.js";

const MATCH_RATES = [0.00001, 0.0001, 0.0003, 0.001, 0.003, 0.01];
const REFER_RATES = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1];
const PICTURES = ["until_settled", "never", "appeals"];
const PAPERS = ["impact-assessment", "notice", "retention", "instructions", "technical-file"];
const MINUTE_MS = 60000;

const moment = (text) => (text ? new Date(text).toISOString() : null);
/** A moment as `datetime-local` wants it. */
function localTime(at) {
  const moment = new Date(at);
  return new Date(moment.getTime() - moment.getTimezoneOffset() * MINUTE_MS).toISOString().slice(0, 16);
}
const inMinutes = (minutes) => localTime(Date.now() + minutes * MINUTE_MS);

/** "1 in 10,000" for each rate, and first what it means to set none. */
function rateChoice(name, rates, own, server) {
  const known = own && !rates.includes(own) ? [...rates, own].sort((a, b) => a - b) : rates;
  const options = [["", t("exam.default_rate", { n: oneIn(server) })], ...known.map((rate) => [String(rate), t("exam.one_in", { n: oneIn(rate) })])];
  return set(choice(name, t(`exam.${name}`), options), own ?? "");
}

/** A labelled choice or text with a value. */
function set(label, value) {
  label.querySelector("select, textarea, input").value = String(value ?? "");
  return label;
}

const withHelp = (label, text) => {
  label.append(h("span.shorts", {}, text));
  return label;
};

/** The same over the whole width. */
function wide(label, text) {
  label.className = "wide";
  return withHelp(label, text);
}

const text = (name, label, value, attributes = {}) => set(h("label", {}, label, h("textarea", { name, rows: 3, ...attributes })), value);

/** The fields of an exam: those everybody sets, and the others folded away with what holds without them. */
function examFields(one, defaults) {
  const days = { type: "number", min: 0, max: 36500 };
  return [
    set(field("name", t("exam.name"), { required: true, maxlength: 200 }), one.name),
    withHelp(set(field("starts_at", t("exam.starts"), { type: "datetime-local", required: true }), localTime(one.starts_at)), t("exam.in_zone", { zone: zone() })),
    set(field("ends_at", t("exam.ends"), { type: "datetime-local", required: true }), localTime(one.ends_at)),
    h("details.wide", {}, h("summary", {}, t("exam.more")), h("div.fields", {},
      withHelp(set(field("reference", t("exam.reference"), { maxlength: 255 }), one.reference), t("exam.reference_help")),
      rateChoice("match_fmr", MATCH_RATES, one.own_match_fmr, defaults.match_fmr),
      rateChoice("refer_fmr", REFER_RATES, one.own_refer_fmr, defaults.refer_fmr),
      set(field("attempts_allowed", t("exam.attempts"), { type: "number", min: 1, max: 100, required: true }), one.attempts_allowed),
      set(choice("faces", t("exam.faces"), ["on", "pilot", "off"].map((kind) => [kind, t(`exam.faces_${kind}`)])), one.faces ?? "on"),
      set(choice("offline", t("exam.offline"), ["provisional", "hold"].map((kind) => [kind, t(`exam.offline_${kind}`)])), one.offline ?? "provisional"),
      withHelp(set(choice("motion", t("exam.motion"), ["observe", "refer", "off"].map((kind) => [kind, t(`exam.motion_${kind}`)])), one.motion ?? "observe"), t("exam.motion_help")),
      set(choice("identification", t("exam.identification"), [["", t("exam.claimed_only")], ["true", t("exam.searched")]]), one.identification ? "true" : ""),
      set(choice("case_pictures", t("exam.case_pictures"), PICTURES.filter((kind) => kind !== "appeals" || defaults.can_keep_pictures).map((kind) => [kind, t(`exam.pictures_${kind}`)])), one.case_pictures),
      set(choice("keep_probe_thumbnails", t("exam.thumbnails"), [["", t("exam.no")], ...(defaults.can_keep_pictures ? [["true", t("exam.yes")]] : [])]), one.keep_probe_thumbnails ? "true" : ""),
      set(choice("keep_admission_template", t("exam.todays"), [["", t("exam.no")], ...(defaults.can_keep_pictures ? [["true", t("exam.yes")]] : [])]), one.keep_admission_template ? "true" : ""),
      set(field("thumbnail_retention_days", t("exam.thumbnail_days"), { ...days, min: 1, max: 3650, required: true }), one.thumbnail_retention_days),
      withHelp(set(field("appeal_ends_at", t("exam.appeals"), { type: "datetime-local" }), one.appeal_ends_at ? localTime(one.appeal_ends_at) : ""), t("exam.appeals_help")),
      withHelp(set(field("retention_days", t("exam.retention"), days), one.retention_days), t("exam.retention_help")),
      wide(text("reason_codes", t("exam.reasons"), one.reason_codes.map(({ code, label }) => `${code}: ${label}`).join("\n"), { rows: 7, required: true, class: "mono" }), t("exam.reasons_help")))),
  ];
}

/** The form's values as the API takes them. */
function examTerms(values) {
  const number = (name) => (values[name] === "" ? null : Number(values[name]));
  return {
    name: values.name, reference: values.reference || null, starts_at: moment(values.starts_at), ends_at: moment(values.ends_at),
    match_fmr: number("match_fmr"), refer_fmr: number("refer_fmr"), attempts_allowed: number("attempts_allowed"),
    faces: values.faces, offline: values.offline, motion: values.motion, identification: values.identification === "true", case_pictures: values.case_pictures,
    keep_admission_template: values.keep_admission_template === "true", keep_probe_thumbnails: values.keep_probe_thumbnails === "true", thumbnail_retention_days: number("thumbnail_retention_days"),
    appeal_ends_at: moment(values.appeal_ends_at), retention_days: number("retention_days"), reason_codes: reasonCodes(values.reason_codes),
  };
}

/** One reason a line, `code: label`; a line without a code gets one from its words. */
const reasonCodes = (lines) => lines.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => {
  const [, code, label] = /^([a-z][a-z0-9_]*):\s*(.+)$/.exec(line) ?? [null, null, line];
  return { code: code ?? (label.normalize("NFKD").toLowerCase().replace(/[^a-z0-9]+/g, "_").replace(/^[^a-z]+|_+$/g, "") || "reason"), label };
});

/** What an exam is that nobody has set anything of. */
const fresh = (defaults) => ({ ...defaults, name: "", starts_at: Date.now(), ends_at: Date.now() + 180 * MINUTE_MS, own_match_fmr: null, own_refer_fmr: null });

async function makeExam(values) {
  const made = await call("POST", "/v1/exams", { json: examTerms(values) });
  return made.id;
}

export async function exams(view) {
  const [known, archived, defaults] = await Promise.all([all("/v1/exams"), all("/v1/exams?archived=true"), may("exams:write") ? call("GET", "/v1/exams/defaults") : null]);
  const create = async (values) => {
    location.hash = `#/exams/${await makeExam(values)}`;
  };
  view.append(...[
    h("div.row", {}, h("h1", {}, t("nav.exams")), may("exams:write", "audit:read") && h("a.small", { href: "#/retention" }, t("retention.link"))),
    known.length ? h("section.card", {}, table(t("nav.exams"), [
      [t("exam.name"), (one) => h("a", { href: `#/exams/${one.id}` }, one.name)],
      [t("exam.reference"), (one) => one.reference],
      [t("exam.when"), (one) => span(one.starts_at, one.ends_at)],
      [t("exam.how_long"), (one) => duration(one.starts_at, one.ends_at)],
    ], known)) : h("p.muted", {}, t("exam.none")),
    archived.length ? h("details", {}, h("summary", {}, t("exam.archive", { n: archived.length })),
      h("ul", {}, archived.map((one) => h("li", {}, h("a", { href: `#/exams/${one.id}` }, one.name), ` · ${date(one.starts_at)}`)))) : "",
    defaults && h("section.card.stack", {}, h("h2", {}, t("exam.new")), form(examFields(fresh(defaults), defaults), t("exam.create"), create)),
  ].filter(Boolean));
}

/** An exam like one that is there: its rules, and its rooms at the same distance from the beginning. */
export async function copyExam(view, id) {
  const [one, sessions, defaults] = await Promise.all([call("GET", `/v1/exams/${id}`), all(`/v1/exams/${id}/sessions`), call("GET", "/v1/exams/defaults")]);
  const rooms = h("input", { type: "checkbox", name: "rooms", checked: true });
  let made = null;
  const create = async (values) => {
    // A second try after a room was refused goes on with the exam that was made.
    made = made ?? (await makeExam(values));
    const moved = Date.parse(moment(values.starts_at) ?? "") - Date.parse(one.starts_at);
    const at = (time) => new Date(Date.parse(time) + moved).toISOString();
    for (const { room, opens_at, closes_at, ...rest } of rooms.checked ? sessions : [])
      await call("POST", `/v1/exams/${made}/sessions`, { json: { room, opens_at: at(opens_at), closes_at: at(closes_at), ...Object.fromEntries(RULES.map((name) => [name, rest[name]])) }, key: `copy-${made}-${room}-${opens_at}` });
    location.hash = `#/exams/${made}`;
  };
  const again = { ...one, appeal_ends_at: null, name: t("exam.copy_of", { name: one.name }) };
  view.append(h("h1", {}, t("exam.copy_title", { name: one.name })), h("section.card.stack", {}, h("p.muted", {}, t("exam.copy_help")),
    form([...examFields(again, defaults),
      sessions.length ? h("label.check.wide", {}, rooms, t("exam.copy_rooms", { rooms: sessions.map(({ room }) => room).join(", ") })) : ""], t("exam.create"), create)));
}

export async function exam(view, id) {
  const [one, sessions, defaults] = await Promise.all([call("GET", `/v1/exams/${id}`), all(`/v1/exams/${id}/sessions`), may("exams:write") ? call("GET", "/v1/exams/defaults") : null]);
  view.append(...[
    h("div", {}, h("h1", {}, one.name), h("p.muted", { id: "exam-window" }, `${span(one.starts_at, one.ends_at)} · ${duration(one.starts_at, one.ends_at)}`),
      h("p.muted", {}, `${t("exam.identification")} ${t(one.identification ? "exam.searched" : "exam.claimed_only")}. ${t("exam.case_pictures")}: ${t(`exam.pictures_${one.case_pictures}`)}.`)),
    h("section.stack", {}, h("h2", {}, t("exam.sessions")),
      sessions.length ? h("div.grid", {}, sessions.map(sessionCard)) : h("p.muted", {}, t("exam.no_sessions"))),
    sessions.length > 0 && h("div.row", {}, h("a.button", { href: `#/board/${id}` }, t("rooms.link")), h("a.button", { href: `#/exams/${id}/readiness` }, t("ready.whole_exam"))),
    sessions.length > 0 && downloads([[`/v1/exams/${id}/attendance.pdf`, t("download.attendance_pdf")], [`/v1/exams/${id}/attendance.csv`, t("download.attendance_csv")]]),
    papers(id),
    sessions.length > 0 && may("audit:read") && groupsReport(id),
    one.archived_at && h("p.muted", { id: "archived" }, t("exam.archived", { when: date(one.archived_at) })),
    defaults && !one.archived_at && addRooms(id, one, sessions),
    defaults && h("div.row", {}, h("a.button", { href: `#/exams/copy/${id}` }, t("exam.copy"))),
    defaults && !one.archived_at && changeExam(one, defaults),
    defaults && !one.archived_at && takeAway(id),
  ].filter(Boolean));
}

/** Drafts of what an exam with cameras has to have on paper. */
const papers = (id) => h("details", { id: "papers" }, h("summary", {}, t("exam.papers")), h("div.stack", {}, h("p.muted.small", {}, t("exam.papers_help")),
  h("div.row", { style: "flex-wrap: wrap" }, PAPERS.map((paper) => h("a.button", { download: "", href: `/v1/exams/${id}/paperwork/${paper}` }, t(`paper.${paper}`))))));

/** Several rooms at once, one a line; the window is the exam's with the minutes before it that doors open. */
function addRooms(id, one, sessions) {
  const create = async ({ room, opens_at, closes_at }) => {
    for (const name of room.split("\n").map((line) => line.trim()).filter(Boolean))
      await call("POST", `/v1/exams/${id}/sessions`, { json: { room: name, opens_at: moment(opens_at), closes_at: moment(closes_at) } });
    again();
  };
  const isOver = Date.parse(one.ends_at) < Date.now();
  const opens = sessions.at(-1)?.opens_at ?? Math.min(Date.now() - 5 * MINUTE_MS, Date.parse(one.starts_at) - 30 * MINUTE_MS);
  return h("section.card.stack", {}, h("h2", {}, t("exam.new_session")),
    form([
      text("room", t("session.rooms"), "", { required: true, maxlength: 4000 }),
      withHelp(set(field("opens_at", t("session.opens"), { type: "datetime-local", required: true }), isOver ? inMinutes(-5) : localTime(opens)), t("exam.in_zone", { zone: zone() })),
      set(field("closes_at", t("session.closes"), { type: "datetime-local", required: true }), isOver ? inMinutes(120) : localTime(sessions.at(-1)?.closes_at ?? one.ends_at)),
    ], t("exam.add_session"), create));
}

/** A part of the page that is made when somebody opens it. */
function folded(id, summary, make) {
  const open = (event) => event.target.children.length === 1 && event.target.append(make());
  return h("details.card", { id, ontoggle: open }, h("summary", {}, summary));
}

function changeExam(one, defaults) {
  const former = examTerms(Object.fromEntries(new FormData(h("form", {}, ...examFields(one, defaults)))));
  const change = async ({ reason, ...values }) => {
    const terms = examTerms(values);
    const changed = Object.fromEntries(Object.entries(terms).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(former[name])));
    await call("PATCH", `/v1/exams/${one.id}`, { json: { ...changed, ...(reason ? { reason } : {}) } });
    again();
  };
  const reason = () => withHelp(field("reason", t("exam.change_reason"), { minlength: 3, maxlength: 500 }), t("exam.change_reason_help"));
  return folded("change-exam", t("exam.change"), () => form([...examFields(one, defaults), reason()], t("exam.save"), change));
}

function takeAway(id) {
  const remove = async ({ reason }) => {
    await call("DELETE", `/v1/exams/${id}${reason ? `?${new URLSearchParams({ reason })}` : ""}`);
    location.hash = "#/exams";
  };
  return folded("remove-exam", t("exam.remove"), () => h("div.stack", {}, h("p.muted", {}, t("exam.remove_help")),
    form([field("reason", t("exam.remove_reason"), { minlength: 3, maxlength: 500 })], t("exam.remove"), remove, "plain")));
}

/** What an exam office does about one room: rename it, move its window, end it now. */
export function changeSession(one) {
  const save = async ({ room, opens_at, closes_at, reason }) => {
    const changed = Object.fromEntries(Object.entries({ room, opens_at: moment(opens_at), closes_at: moment(closes_at) })
      .filter(([name, value]) => (name === "room" ? value !== one.room : localTime(String(value)) !== localTime(one[name]))));
    await call("PATCH", `/v1/sessions/${one.id}`, { json: { ...changed, ...(reason ? { reason } : {}) } });
    again();
  };
  const close = async ({ reason }) => {
    await call("PATCH", `/v1/sessions/${one.id}`, { json: { closes_at: new Date().toISOString(), reason } });
    again();
  };
  const why = (attributes = {}) => field("reason", t("session.reason"), { minlength: 3, maxlength: 500, ...attributes });
  return folded("change-session", t("session.change"), () => h("div.stack", {},
    form([
      set(field("room", t("session.room"), { required: true, maxlength: 255 }), one.room),
      withHelp(set(field("opens_at", t("session.opens"), { type: "datetime-local", required: true }), localTime(one.opens_at)), t("exam.in_zone", { zone: zone() })),
      set(field("closes_at", t("session.closes"), { type: "datetime-local", required: true }), localTime(one.closes_at)),
      withHelp(why(), t("session.reason_help")),
    ], t("exam.save"), save),
    h("h2", {}, t("rule.title")), rulesForm(one),
    one.state === "open" ? form([why({ required: true })], t("session.close_now"), close, "bad") : ""));
}
