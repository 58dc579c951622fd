// The roster: drop a list, read what it would change, then apply it; or add one person.

import { all, call, h, may, Problem, t } from "../page.js";
import { again, announce, field, form, notice, table, tag } from "../ui.js";
import { extraForm } from "./drawer.js";
import { explainColumns, keptLayouts } from "./layouts.js";

const FINDINGS = ["emptied", "unknown", "ambiguous", "confusable", "mangled", "conflicting_rows", "duplicate_seats", "other_exam", "has_checkins", "in_other_sessions", "without_template"];
const COLUMNS = ["line", "external_id", "display_name", "seat", "first_line", "other"];
/** Above this share of the roster, whoever removes people types how many. */
const TYPED_SHARE = 0.2;
const LIST = ".csv,.tsv,.txt,.xlsx,.xlsm,text/csv,application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

export async function roster(view, one) {
  const people = await all(`/v1/sessions/${one.id}/roster`);
  if (may("exams:write")) view.append(importCard(one, people), ...addOne(one, people));
  view.append(h("section.card.stack", {}, h("h2", {}, t("roster.now", { n: people.length })),
    people.length ? table(t("session.tab_roster"), [
      [t("person.number"), (row) => (may("subjects:read") && row.subject_id ? h("a", { href: `#/subjects/${row.subject_id}` }, row.external_id) : row.external_id)],
      [t("person.name"), (row) => row.display_name],
      [t("person.seat"), (row) => row.seat],
      [t("roster.marks"), (row) => marks(row.flags)],
      [t("extra.title"), (row) => extra(one, row)],
      [t("attempts.outcome"), (row) => tag(row.status)],
    ], people) : h("p.muted", {}, t("roster.empty"))));
}

/** What the invigilator should know of a candidate. */
const marks = ({ manual_identification, private_check, twin, accommodation }) =>
  [manual_identification && t("roster.by_document"), private_check && t("flag.apart"), twin && t("roster.twin"), accommodation].filter(Boolean).join(" · ");

/** A candidate's extra time; whoever plans exams or decides about people opens it to change it. */
function extra(one, person) {
  const said = person.extra_minutes ? t("flag.extra", { n: person.extra_minutes }) : "–";
  if (!may("exams:write", "override")) return said;
  const done = (text) => {
    announce(text);
    again();
  };
  const open = (event) => event.target.children.length === 1 && event.target.append(extraForm(one, person, done));
  return h("details.extra", { "data-candidate": person.external_id, ontoggle: open }, h("summary", { "aria-label": `${t("extra.title")} · ${person.display_name ?? person.external_id}: ${said}` }, said));
}

/** What is about to be imported, and how: the last file is looked at again where that changes. */
function importCard(one, people) {
  const report = h("div.stack", { id: "roster-report" });
  const create = h("input", { type: "checkbox", id: "create-subjects", onchange: () => look() });
  const mode = (value, checked) => h("label.check", {},
    h("input", { type: "radio", name: "mode", value, checked, onchange: () => look() }), t(`roster.${value}`));
  const modes = h("fieldset", {}, h("legend", {}, t("roster.mode")), mode("merge", people.length > 0), mode("replace", people.length === 0));
  const input = h("input", { type: "file", accept: LIST, class: "sr-only", id: "roster-file" });
  let file = null;
  let turn = 0;
  const look = (layout) => {
    if (!file) return undefined;
    const mine = (turn += 1);
    const mode = /** @type {HTMLInputElement} */ (modes.querySelector("input:checked")).value;
    return preview(report, { one, file, layout, create: create.checked, total: people.length, mode, look, isLatest: () => mine === turn });
  };
  const take = (taken) => {
    file = taken ?? file;
    look();
  };
  input.addEventListener("change", () => {
    take(input.files?.[0]);
    // The same file again, mended meanwhile, is a change too.
    input.value = "";
  });
  const drop = h("div.drop", {
    ondragover: (event) => (event.preventDefault(), drop.classList.add("over")),
    ondragleave: () => drop.classList.remove("over"),
    ondrop: (event) => (event.preventDefault(), drop.classList.remove("over"), take(event.dataTransfer.files[0])),
  }, h("p", {}, t("roster.drop")), h("label.button", { for: "roster-file", style: "display:inline-flex" }, t("roster.choose"), input),
    h("p.muted.small", { style: "margin-top:12px" }, t("roster.form")));
  return h("section.card.stack", {}, h("h2", {}, t("roster.import")), people.length ? modes : h("div", { hidden: true }, modes),
    may("enrol") ? h("label.check", { for: "create-subjects" }, create, t("roster.create_subjects")) : "",
    drop, report, keptLayouts());
}

/** One late addition, without a file. */
function addOne(one, people) {
  if (!people.length) return [];
  const create = h("input", { type: "checkbox", name: "create" });
  const add = async ({ external_id, display_name, seat }) => {
    const body = { candidates: [{ external_id, display_name: display_name || null, seat: seat || null }] };
    const path = (dryRun) => `/v1/sessions/${one.id}/roster?mode=merge&dry_run=${dryRun}&create_subjects=${create.checked}`;
    const found = await call("PUT", path(true), { json: body });
    if (!found.added) throw new Error(t("roster.there_already", { who: external_id }));
    await call("PUT", path(false), { json: body });
    announce(t("roster.added_one", { who: external_id }));
    again();
  };
  return [h("details.card", {}, h("summary", {}, t("roster.add_one")), h("div.stack", {},
    h("p.muted", {}, t("roster.add_one_help")),
    form([
      field("external_id", t("person.number"), { required: true, maxlength: 255 }),
      field("display_name", t("person.name"), { maxlength: 255 }),
      field("seat", t("person.seat"), { maxlength: 64 }),
      may("enrol") ? h("label.check.wide", {}, create, t("roster.create_subjects")) : "",
    ], t("roster.add"), add)))];
}

const query = ({ mode, create, layout }, more) =>
  new URLSearchParams({ mode, create_subjects: String(create), ...(layout ? { layout } : {}), ...more });

const put = (job, bytes, more) =>
  call("PUT", `/v1/sessions/${job.one.id}/roster?${query(job, more)}`, { text: bytes, type: "text/csv", timeout: 120000 });

async function preview(place, job) {
  place.replaceChildren(notice("", t("roster.reading")));
  const bytes = await job.file.arrayBuffer();
  try {
    const found = await put(job, bytes, { dry_run: "true" });
    // An answer about another file or way that comes late is not what was asked last.
    if (!job.isLatest()) return;
    place.replaceChildren(...describe(found, job), found.problems ? notice("bad", t("roster.stopped")) : confirmation(place, job, bytes, found));
  } catch (error) {
    if (job.isLatest()) place.replaceChildren(...refusal(error, job));
  }
}

/** Why a list was not taken; whoever gave one with other headings says which is which. */
function refusal(error, job) {
  const body = error instanceof Problem ? error.body : {};
  if (body.why === "columns_unknown") return [explainColumns(body, job.file.name, job.look)];
  const cells = (body.findings ?? []).length ? [cellTable(body)] : [];
  const report = body.report ? describe(body.report, job) : [];
  return [notice("bad", cells.length ? t("roster.stopped") : error.message), ...cells, ...report];
}

function cellTable({ findings, total }) {
  const columns = [
    [t("column.line"), (row) => String(row.line ?? row.row)],
    [t("roster.column"), (row) => (row.column ? t(`column.${row.column}`) : "")],
    [t("roster.wrong"), (row) => t(`cell.${row.why ?? "characters"}`)],
  ];
  return h("details", { open: true }, h("summary", {}, `${t("roster.unreadable")}: ${total}`),
    table(t("roster.unreadable"), columns, findings), more(findings, total));
}

const more = (items, total) => (items.length < total ? h("p.muted.small", {}, t("roster.first_of", { n: items.length, all: total })) : "");

/** What applying takes: a click; and the number of those who go, typed, where many do. */
function confirmation(place, job, bytes, found) {
  const apply = async (event) => {
    event.preventDefault();
    const button = event.target.querySelector("button");
    button.disabled = true;
    try {
      await put(job, bytes, { dry_run: "false", expect_removed: String(found.removed) });
      again();
    } catch (error) {
      place.replaceChildren(...refusal(error, job));
    }
  };
  const isTyped = found.removed > TYPED_SHARE * job.total;
  const tone = found.removed ? "bad" : "primary";
  const label = found.removed ? t("roster.apply_removing", { n: found.removed }) : t("roster.apply");
  return h("form.stack", { onsubmit: apply },
    isTyped ? field("typed", t("roster.type_number", { n: found.removed, all: job.total }),
      { required: true, pattern: String(found.removed), inputmode: "numeric", autocomplete: "off", title: t("roster.type_title", { n: found.removed }) }) : "",
    h("div", {}, h(`button.${tone}`, { id: "apply-roster" }, label)));
}

function describe(report, job) {
  const tone = report.problems || report.removed ? "wait" : "good";
  const read = report.read_as ? [h("p.muted.small", {}, readAs(report.read_as), " ", remap(report.read_as, job))] : [];
  return [notice(tone, t("roster.summary", report)), ...read, ...(report.removed ? [leaving(report)] : []),
    ...FINDINGS.filter((name) => report[name].total).map((name) => finding(name, report))];
}

/** Who would go, by name: the one thing of an import that loses something. */
function leaving({ removed, removing }) {
  const who = ({ external_id, display_name, seat }) => h("li", {}, h("strong", {}, display_name ?? external_id), display_name ? ` · ${external_id}` : "", seat ? ` · ${seat}` : "");
  return notice("bad", h("p", {}, h("strong", {}, t("roster.would_go", { n: removed }))),
    h("ul.names", {}, removing.items.map(who)), more(removing.items, removed));
}

const readAs = ({ sheet, heading_line, layout }) =>
  [sheet && t("roster.sheet", { name: sheet }), t("roster.heading_line", { n: heading_line }), layout && t("roster.by_layout", { name: layout })].filter(Boolean).join(" · ");

function remap({ headings, layout }, job) {
  if (!layout) return "";
  const show = (event) => event.target.closest("#roster-report").replaceChildren(explainColumns({ headings, proposed: {}, example: [] }, layout, job.look));
  return h("button.plain.small", { type: "button", onclick: show }, t("layout.anew"));
}

function finding(name, report) {
  const { total, items } = report[name];
  const used = COLUMNS.filter((column) => items.some((row) => row[column] !== null));
  const columns = used.map((column) => [t(`column.${column}`), (row) => String(row[column] ?? "")]);
  return h("details", { open: name !== "without_template" },
    h("summary", {}, `${t(`roster.${name}`)}: ${total}`), table(t(`roster.${name}`), columns, items), more(items, total));
}
