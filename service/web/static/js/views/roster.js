// The roster: drop a CSV, read what it would change, then apply it.

import { all, call, h, may, Problem, t } from "../page.js";
import { again, notice, table, tag } from "../ui.js";

const FINDINGS = ["emptied", "unknown", "ambiguous", "confusable", "mangled", "conflicting_rows", "duplicate_seats", "other_exam", "has_checkins", "in_other_sessions", "without_template"];
const COLUMNS = ["line", "row", "external_id", "display_name", "seat", "first_row", "other"];

export async function roster(view, one) {
  const report = h("div.stack");
  const create = h("input", { type: "checkbox", id: "create-subjects" });
  const input = h("input", { type: "file", accept: ".csv,text/csv", class: "sr-only", id: "roster-file" });
  const check = (file) => file && preview(report, one, file, create.checked);
  input.addEventListener("change", () => check(input.files[0]));
  const drop = h("div.drop", {
    ondragover: (event) => (event.preventDefault(), drop.classList.add("over")),
    ondragleave: () => drop.classList.remove("over"),
    ondrop: (event) => (event.preventDefault(), drop.classList.remove("over"), check(event.dataTransfer.files[0])),
  }, h("p", {}, t("roster.drop")), h("label.button", { for: "roster-file", style: "display:inline-flex" }, t("roster.choose"), input),
    h("p.muted.small", { style: "margin-top:10px" }, t("roster.form")));
  if (may("exams:write")) {
    const unknown = may("enrol") ? h("label.check", { for: "create-subjects" }, create, t("roster.create_subjects")) : "";
    view.append(h("section.card.stack", {}, h("h2", {}, t("roster.import")), unknown, drop, report));
  }
  const people = await all(`/v1/sessions/${one.id}/roster`);
  view.append(h("section.card.stack", {}, h("h2", {}, t("roster.now", { n: people.length })),
    people.length ? table(t("session.tab_roster"), [
      [t("person.number"), (row) => (may("subjects:read") ? h("a", { href: `#/subjects/${row.subject_id}` }, row.external_id) : row.external_id)],
      [t("person.name"), (row) => row.display_name],
      [t("person.seat"), (row) => row.seat],
      [t("roster.marks"), (row) => marks(row.flags)],
      [t("attempts.outcome"), (row) => tag(row.status)],
    ], people) : h("p.muted", {}, t("roster.empty"))));
}

/** What the invigilator should know of a candidate. */
const marks = ({ manual_identification, twin, accommodation }) =>
  [manual_identification && t("roster.by_document"), twin && t("roster.twin"), accommodation].filter(Boolean).join(" · ");

const put = (one, text, dryRun, create) =>
  call("PUT", `/v1/sessions/${one.id}/roster?dry_run=${dryRun}&create_subjects=${create}`, { text, type: "text/csv", timeout: 60000 });

async function preview(place, one, file, create) {
  place.replaceChildren(notice("", t("roster.reading")));
  const bytes = await file.arrayBuffer();
  try {
    const found = await put(one, bytes, true, create);
    place.replaceChildren(...describe(found), found.problems ? notice("bad", t("roster.stopped")) : applyButton(place, one, bytes, create));
  } catch (error) {
    const inside = error instanceof Problem && error.body.report ? describe(error.body.report) : [];
    place.replaceChildren(notice("bad", error.message), ...inside);
  }
}

function applyButton(place, one, bytes, create) {
  const apply = async (event) => {
    event.target.disabled = true;
    try {
      await put(one, bytes, false, create);
      again();
    } catch (error) {
      place.replaceChildren(notice("bad", error.message));
    }
  };
  return h("div", {}, h("button.primary", { type: "button", onclick: apply, id: "apply-roster" }, t("roster.apply")));
}

function describe(report) {
  const summary = notice(report.problems ? "wait" : "good", t("roster.summary", report));
  return [summary, ...FINDINGS.filter((name) => report[name].total).map((name) => finding(name, report))];
}

function finding(name, report) {
  const { total, items } = report[name];
  const used = COLUMNS.filter((column) => items.some((row) => row[column] !== null));
  const columns = used.map((column) => [t(`column.${column}`), (row) => String(row[column] ?? "")]);
  return h("details", { open: name !== "without_template" },
    h("summary", {}, `${t(`roster.${name}`)}: ${total}`), table(t(`roster.${name}`), columns, items));
}
