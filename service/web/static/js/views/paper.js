// A room sheet, typed in afterwards: one line after the other, the whole room as a table, or a file.

import { all, call, clock, h, may, t, textOf, zone } from "../page.js";
import { choice, field, form, notice, table, tag } from "../ui.js";
import { DOCUMENTS } from "../decisions.js";
import { usual } from "../usual.js";
import { bySeat } from "./board.js";
import { downloads, sheets } from "./downloads.js";
import { nameOf } from "./queue.js";

/** @typedef {import("api").components["schemas"]["PaperReport"]} Report */

const TONES = { recorded: "good", unchanged: "", conflict: "wait", refused: "bad" };
const LET_IN = ["admitted", "identified_manually"];
const SHOWN = 5;
const LIST = ".csv,.tsv,.txt,.xlsx,text/csv,application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

export async function paper(view, session) {
  if (!may("override")) return void view.append(notice("", t("paper.not_allowed")));
  if (session.state === "upcoming") return void view.append(notice("", t("paper.not_yet")), downloads(sheets(session)));
  const people = (await all(`/v1/sessions/${session.id}/roster`)).sort(bySeat);
  view.append(
    h("p.muted", {}, t("paper.help", { zone: zone() })),
    downloads([...sheets(session), [`/v1/sessions/${session.id}/paper.csv`, t("paper.csv")]]),
    oneByOne(session, people), wholeRoom(session, people), fromFile(session));
}

/** How a time is typed: 0915, 915, 9:15 or 09.15, in no more keys than it takes in any country. */
const TIME = { inputmode: "numeric", pattern: "([01]?[0-9]|2[0-3])[:.h]?[0-5][0-9]", placeholder: "09:15", maxlength: 5, size: 5, autocomplete: "off" };
const IS_TIME = new RegExp(`^(?:${TIME.pattern})$`);
const BREAKS = { placeholder: "10:15-10:22", maxlength: 400, size: 14, autocomplete: "off" };

/** A time of the session's day as a moment; of a session over midnight, of the next. */
function moment(session, time) {
  if (!time) return null;
  const digits = time.replace(/\D/g, "");
  const at = new Date(session.opens_at);
  at.setSeconds(0, 0);
  const start = at.getTime();
  at.setHours(Number(digits.slice(0, -2)), Number(digits.slice(-2)));
  if (at.getTime() < start) at.setDate(at.getDate() + 1);
  return at.toISOString();
}

/** @type {(session: any, values: Record<string, any>) => any} */
const lineOf = (session, { candidate, arrived, document, breaks, left, note }) => ({
  candidate, arrived_at: moment(session, arrived), document_type: arrived ? document : null, breaks: breaksOf(session, breaks), left_at: moment(session, left), note: note || null,
});

/** Times outside, typed as 10:15-10:22, 11:00-11:05; without the second time nobody saw them come back. */
const breaksOf = (session, text) => (text ?? "").split(/[;,]/).filter((one) => one.trim()).map((one) => {
  const times = one.split(/[-–—]/).map((part) => part.trim());
  if (times.length > 2 || !times.every((time) => IS_TIME.test(time))) throw new Error(t("paper.breaks_wrong", { text: one.trim() }));
  return { out_at: moment(session, times[0]), back_at: times.length > 1 ? moment(session, times[1]) : null };
});

/** @returns {Promise<Report>} */
const send = (session, lines) => call("POST", `/v1/sessions/${session.id}/paper`, { json: { lines }, timeout: 120000 });

const documents = () => DOCUMENTS.map((kind) => [kind, t(`document.${kind}`)]);
const outcome = (one) => h(`span.tag.${TONES[one.result]}`, {}, t(`paper.${one.result}`));

/**
 * Why a line was not recorded, and how the candidate is in already.
 * @param {any} session
 * @param {import("api").components["schemas"]["PaperResult"]} one
 */
function why(session, { code, detail, existing }) {
  if (!code) return "";
  const said = h("span", {}, textOf(`code.${code}`) ?? detail);
  if (!existing) return said;
  const how = [clock(existing.at), t(`status.${existing.outcome}`), existing.source === "paper" && t("paper.source"), existing.seat].filter(Boolean).join(" · ");
  return h("span", {}, said, " ", h("a", { href: `#/sessions/${session.id}/case/${existing.checkin_id}` }, how));
}

/** The quick way: a number by the keyboard or a reader, Enter, a time, Enter. */
function oneByOne(session, people) {
  const said = h("ol.paper-said", { id: "paper-said", "aria-live": "polite" });
  const known = new Map(people.map((person) => [person.external_id.toLowerCase(), person]));
  const who = h("p.muted", { id: "paper-who" });
  const record = async (values, event) => {
    const input = (name) => /** @type {HTMLInputElement} */ (event.target.elements.namedItem(name));
    // A reader ends with Enter: then comes the time.
    if (!values.arrived && !values.left && !values.breaks) return input("arrived").focus();
    const report = await send(session, [lineOf(session, values)]);
    const one = report.lines[0];
    said.prepend(h("li", {}, outcome(one), " ", one.person ? `${nameOf(one.person)} · ${one.person.seat ?? "–"}` : one.candidate, " ", why(session, one)));
    while (said.children.length > SHOWN) said.lastElementChild?.remove();
    if (TONES[one.result] === "good" || one.result === "unchanged") for (const name of ["candidate", "arrived", "breaks", "left", "note"]) input(name).value = "";
    who.textContent = "";
    input("candidate").select();
    input("candidate").focus();
  };
  const number = field("candidate", t("paper.number"), { required: true, maxlength: 255, autocomplete: "off", spellcheck: "false" });
  number.addEventListener("input", (event) => {
    const person = known.get(/** @type {HTMLInputElement} */ (event.target).value.trim().toLowerCase());
    who.textContent = person ? `${nameOf(person)} · ${t("person.seat")} ${person.seat ?? "–"} · ${t(`status.${person.status}`)}` : "";
  });
  const kinds = choice("document", t("paper.document"), documents());
  /** @type {HTMLSelectElement} */ (kinds.querySelector("select")).value = usual();
  const shown = h("section.card.stack", { id: "paper-one" }, h("h2", {}, t("paper.one")), who,
    form([number, field("arrived", t("paper.arrived"), TIME), kinds, field("breaks", t("paper.breaks"), BREAKS), field("left", t("paper.left"), TIME), field("note", t("paper.remark"), { maxlength: 2000 })], t("paper.record"), record), said);
  setTimeout(() => /** @type {HTMLElement} */ (number.querySelector("input")).focus());
  return shown;
}

/** Every seat with times to fill in; Enter goes to the same column of the next seat. */
function wholeRoom(session, people) {
  const places = new Map();
  const input = (person, name, attributes) => h("input", { name, "data-line": person.external_id, "aria-label": `${t(`paper.${name}`)} · ${nameOf(person)}`, ...attributes });
  const cell = (person, name) => {
    const isIn = LET_IN.includes(person.status);
    if (name === "arrived" && isIn) return h("span", {}, clock(person.status_at), " ", tag(person.status));
    if (name === "document" && isIn) return person.source === "paper" ? t("paper.source") : "";
    if (name === "left" && person.presence === "left") return clock(person.presence_at);
    if (name === "document") return h("select", { name, "data-line": person.external_id, "aria-label": `${t("paper.document")} · ${nameOf(person)}` }, documents().map(([value, text]) => h("option", { value, selected: value === usual() }, text)));
    return input(person, name, name === "remark" ? { maxlength: 2000 } : name === "breaks" ? BREAKS : TIME);
  };
  const result = (person) => {
    const place = h("div", { role: "status" });
    places.set(person.external_id, place);
    return place;
  };
  const columns = ["arrived", "document", "breaks", "left", "remark"];
  const grid = h("div.paper-table", {}, table(t("paper.whole"), [
    [t("person.seat"), (person) => person.seat],
    [t("person.name"), (person) => h("span", {}, nameOf(person), " ", person.display_name ? h("span.muted.small", {}, person.external_id) : "")],
    ...columns.map((name) => [t(`paper.${name}`), (person) => cell(person, name)]),
    [t("paper.result"), result],
  ], people));
  grid.addEventListener("keydown", (event) => {
    const from = /** @type {HTMLInputElement} */ (event.target);
    if (event.key !== "Enter") return;
    event.preventDefault();
    const same = [...grid.querySelectorAll(`[name=${from.name}]`)];
    const next = same[same.indexOf(from) + 1] ?? shown.querySelector("button.primary");
    /** @type {HTMLElement} */ (next).focus();
  });
  const filledIn = () => people.flatMap((person) => {
    const values = Object.fromEntries(columns.map((name) => [name, /** @type {HTMLInputElement | null} */ (grid.querySelector(`[name=${name}][data-line="${CSS.escape(person.external_id)}"]`))?.value ?? ""]));
    return values.arrived || values.breaks || values.left || values.remark ? [lineOf(session, { ...values, note: values.remark, candidate: person.external_id })] : [];
  });
  const record = async () => {
    const lines = filledIn();
    if (!lines.length) throw new Error(t("paper.nothing"));
    const report = await send(session, lines);
    for (const one of report.lines) {
      places.get(one.candidate)?.replaceChildren(outcome(one), " ", why(session, one));
      if (one.result !== "recorded" && one.result !== "unchanged") continue;
      // What is recorded is typed in no more.
      for (const typed of grid.querySelectorAll(`input[data-line="${CSS.escape(one.candidate)}"]`)) /** @type {HTMLInputElement} */ (typed).value = "";
    }
    total.replaceChildren(summary(report));
  };
  const total = h("div");
  const shown = h("section.card.stack", { id: "paper-room" }, h("h2", {}, t("paper.whole")), h("p.muted.small", {}, t("paper.whole_help")),
    people.length ? form([h("div.wide", {}, grid), h("div.wide", {}, total)], t("paper.record_all"), record) : h("p.muted", {}, t("roster.empty")));
  return shown;
}

/** How many lines became what. */
const summary = (report) => notice(report.conflict || report.refused ? "wait" : "good",
  Object.keys(TONES).filter((name) => report[name]).map((name) => `${t(`paper.${name}`)}: ${report[name]}`).join(" · "));

/** A filled-in table: looked through first, then recorded. */
function fromFile(session) {
  const place = h("div.stack", { id: "paper-report" });
  const post = (bytes, dryRun) => call("POST", `/v1/sessions/${session.id}/paper?${new URLSearchParams({ dry_run: String(dryRun), zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}`, { text: bytes, type: "text/csv", timeout: 120000 });
  const show = (report, apply) => place.replaceChildren(summary(report), table(t("paper.file"), [
    [t("paper.result"), outcome],
    [t("person.number"), (one) => one.candidate],
    [t("person.name"), (one) => one.person?.display_name],
    [t("person.seat"), (one) => one.person?.seat],
    [t("ready.why"), (one) => why(session, one)],
  ], report.lines), apply ?? "");
  const look = async (file) => {
    try {
      const bytes = await file.arrayBuffer();
      const record = async (event) => {
        event.target.disabled = true;
        show(await post(bytes, false));
      };
      const report = await post(bytes, true);
      show(report, report.recorded ? h("div", {}, h("button.primary", { type: "button", id: "paper-apply", onclick: (event) => record(event).catch((error) => place.prepend(notice("bad", error.message))) }, t("paper.apply", { n: report.recorded }))) : "");
    } catch (error) {
      place.replaceChildren(notice("bad", error.message));
    }
  };
  const input = /** @type {HTMLInputElement} */ (h("input", { type: "file", accept: LIST, class: "sr-only", id: "paper-file" }));
  input.addEventListener("change", () => {
    if (input.files?.[0]) look(input.files[0]);
    input.value = "";
  });
  return h("details.card", { id: "paper-from-file" }, h("summary", {}, t("paper.file")), h("div.stack", {}, h("p.muted", {}, t("paper.file_help")),
    h("label.button", { for: "paper-file", style: "display:inline-flex" }, t("paper.choose"), input), place));
}
