// One subject: templates and their quality, twins, the legal basis, another name, erasure.

import { call, date, day, h, may, newKey, since, t, textOf } from "../page.js";
import { again, asking, field, form, notice, once, printing, qrCode, reasonText, table } from "../ui.js";
import { cameraPanel, filePanel } from "./enrolling.js";
import { portraitPanel } from "./portrait.js";
import { holdsOf } from "./retention.js";
import { basisText, templateTag } from "./subjects.js";

/** @typedef {import("api").components["schemas"]["SubjectDocument"]} Subject */
/** @typedef {import("api").components["schemas"]["StoredTemplate"]} Template */

export async function subject(view, id) {
  const [one, templates, twins, holds] = await Promise.all([
    call("GET", `/v1/subjects/${id}`), call("GET", `/v1/subjects/${id}/templates`), call("GET", `/v1/subjects/${id}/twins`), holdsOf(id),
  ]);
  const camera = cameraPanel(id);
  const urls = [];
  view.append(...[
    h("div", {}, h("a.small", { href: "#/subjects" }, t("nav.subjects")),
      h("h1", {}, h("bdi", {}, one.display_name ?? one.external_id ?? t("subject.unnamed"))),
      h("div.row.tight", {}, h("span.mono.muted", {}, h("bdi", {}, one.external_id ?? one.id)), templateTag(one))),
    templatesPanel(id, templates.items),
    twins.items.length > 0 && twinsPanel(twins.items),
    may("enrol") && h("section.card.stack", {}, h("h2", {}, t("subject.enrol")), filePanel(id), camera.node, linkPanel(one)),
    may("enrol") && portraitPanel(one, urls),
    basisPanel(one),
    may("audit:read") && personFile(id),
    holds,
    may("enrol") && namePanel(one),
    may("enrol") && erasePanel(view, one, templates.items.length),
  ].filter(Boolean));
  return () => {
    camera.stop();
    urls.forEach((url) => URL.revokeObjectURL(url));
  };
}

/** @param {string} id @param {Template[]} templates */
function templatesPanel(id, templates) {
  const remove = async (template) => {
    await call("DELETE", `/v1/subjects/${id}/templates/${template.id}`);
    again();
  };
  const sure = (row) => t(templates.length === 1 ? "subject.remove_last_sure" : "subject.remove_sure", { date: date(row.created_at) });
  return h("section.card.stack", {}, h("h2", {}, t("subject.templates")),
    templates.length ? table(t("subject.templates"), [
      [t("subject.enrolled"), (row) => h("div", {}, day(row.created_at), h("div.muted.small", {}, since(row.created_at)))],
      [t("case.quality"), qualityOf],
      [t("subject.model"), (row) => t(row.is_current ? "subject.model_current" : "subject.model_former")],
      [t("subject.used"), (row) => (row.checkins ? t("subject.used_times", { n: row.checkins, date: day(row.last_checkin_at) }) : t("subject.used_never"))],
      ...(may("enrol") ? [[t("subject.action"), (row) => asking(t("subject.remove"), sure(row), () => remove(row))]] : []),
    ], templates) : h("p.muted", {}, t("subject.no_templates")));
}

/** @param {Template} template */
function qualityOf(template) {
  const measures = Object.entries(template.measures ?? {});
  const verdict = template.poor.length
    ? h("span.tag.wait", {}, t("subject.tag_poor")) : measures.length ? h("span.tag.good", {}, t("subject.quality_good")) : h("span.tag", {}, t("subject.quality_unknown"));
  return h("div", {}, verdict,
    template.poor.length ? h("ul.small", {}, template.poor.map((code) => h("li", {}, reasonText(code)))) : null,
    measures.length ? h("details", {}, h("summary", {}, t("subject.measures")),
      h("dl.facts.small", {}, measures.flatMap(([name, value]) => [h("dt", {}, textOf(`measure.${name}`) ?? name), h("dd", {}, measured(name, Number(value), template.limits))]))) : null);
}

/** A measure beside what is asked of a picture at enrolment. */
function measured(name, value, limits) {
  const digits = Math.abs(value) < 10 ? 2 : 0;
  const asked = [["min", "subject.at_least"], ["max", "subject.at_most"]]
    .filter(([side]) => limits[`${name}_${side}`] !== undefined)
    .map(([side, text]) => t(text, { limit: limits[`${name}_${side}`] }));
  return [h("span.mono", {}, value.toFixed(digits)), asked.length ? h("span.muted", {}, ` (${asked.join(", ")})`) : null];
}

function twinsPanel(twins) {
  return h("section.card.stack", {}, h("h2", {}, t("subject.twins")), h("p.muted", {}, t("subject.twins_help")),
    table(t("subject.twins"), [
      [t("person.number"), (row) => h("a", { href: `#/subjects/${row.subject_id}` }, h("bdi", {}, row.external_id ?? t("subject.no_number")))],
      [t("person.name"), (row) => h("bdi", {}, row.display_name ?? "–")],
      [t("subject.reason"), (row) => h("bdi", {}, row.reason)],
      [t("subject.since"), (row) => (row.created_at ? day(row.created_at) : "")],
    ], twins));
}

/** A link by which the person sends a picture; it is shown once. @param {Subject} one */
function linkPanel(one) {
  const shown = h("div");
  const direct = h("input", { type: "checkbox", name: "direct" });
  const make = async () => {
    try {
      const made = await call("POST", `/v1/subjects/${one.id}/enrolment-link${direct.checked ? "?direct=true" : ""}`, { key: newKey() });
      shown.replaceChildren(once("enrolment-link-url", made.url, t("enrol_link.made", { date: date(made.expires_at) })), letter(one, made));
    } catch (error) {
      shown.replaceChildren(notice("bad", error.message));
    }
  };
  return h("div.stack", {}, h("p.muted", {}, t("enrol_link.help")),
    one.portrait_at ? h("label.check", {}, direct, h("span", {}, t("enrol_link.direct"), h("span.muted.small.block", {}, t("enrol_link.direct_help")))) : null, h("div", {}, h("button", { type: "button", id: "enrolment-link", onclick: make }, t("enrol_link.make"))), shown);
}

/** The link for a phone at the counter, and on paper for the person. @param {Subject} one @param {any} made */
function letter(one, made) {
  const paper = h("div.stack", { id: "enrolment-letter" },
    h("p", {}, h("strong", {}, h("bdi", {}, one.display_name ?? t("subject.unnamed"))), " ", h("bdi.mono", {}, one.external_id ?? "")),
    h("p", {}, t("enrol_link.letter", { date: date(made.expires_at) })),
    qrCode(made.qr, t("enrol_link.qr")), h("p.mono.small.wrap", {}, made.url));
  return h("section.card.stack", {}, paper, h("div", {}, printing(t("enrol_link.print"), paper)));
}

/** @param {Subject} one */
function namePanel(one) {
  const change = async ({ external_id, display_name }) => {
    const json = {};
    if (external_id !== (one.external_id ?? "")) json.external_id = external_id || null;
    if (display_name !== (one.display_name ?? "")) json.display_name = display_name || null;
    if (Object.keys(json).length) await call("PATCH", `/v1/subjects/${one.id}`, { json });
    again();
  };
  return h("section.card.stack", {}, h("h2", {}, t("subject.rename")), h("p.muted", {}, t("subject.rename_help")),
    form([
      field("external_id", t("person.number"), { maxlength: 255, value: one.external_id ?? "" }),
      field("display_name", t("person.name"), { maxlength: 255, value: one.display_name ?? "" }),
    ], t("subject.save"), change, "plain"));
}

/** Everything that is held about the person, to hand over. @param {string} id */
const personFile = (id) => h("section.card.stack", { id: "person-file" }, h("h2", {}, t("person_file.take")), h("p.muted", {}, t("person_file.take_help")),
  h("div.row", {},
    h("a.button", { download: "", href: `/v1/subjects/${id}/file` }, t("person_file.json")),
    h("a.button", { download: "", href: `/v1/subjects/${id}/file.pdf?${new URLSearchParams({ zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}` }, t("person_file.pdf"))));

/** Erasure: what goes and what stays, and the number once more. @param {Element} view @param {Subject} one */
function erasePanel(view, one, templates) {
  const word = one.external_id ?? one.display_name ?? t("subject.erase_word");
  const erase = async ({ typed, despite_hold }) => {
    if (typed.trim().toLowerCase() !== word.toLowerCase()) throw new Error(t("subject.erase_other"));
    const why = despite_hold ? `?${new URLSearchParams({ despite_hold })}` : "";
    const receipt = await call("DELETE", `/v1/subjects/${one.id}${why}`);
    view.replaceChildren(h("h1", {}, t("subject.erased")), notice("good",
      h("p", {}, t("subject.erased_receipt", { templates: receipt.templates, crops: receipt.crops, responses: receipt.responses })),
      h("dl.facts", {},
        h("dt", {}, t("subject.erased_at")), h("dd", {}, date(receipt.erased_at)),
        h("dt", {}, t("subject.erased_id")), h("dd.mono", {}, receipt.subject_id),
        h("dt", {}, t("subject.erased_event")), h("dd.mono", {}, receipt.audit_seq))),
      h("p.muted", {}, t("subject.erased_keep")), h("a", { href: "#/subjects" }, t("nav.subjects")));
  };
  return h("section.card.stack", {}, h("h2", {}, t("subject.erase")),
    h("details", { id: "erase" }, h("summary", {}, t("subject.erase_what")),
      h("div.stack", {},
        h("div", {}, h("h3", {}, t("subject.goes")), h("ul", {}, h("li", {}, t("subject.goes_templates", { n: templates })), h("li", {}, t("subject.goes_row")), h("li", {}, t("subject.goes_rest")))),
        h("div", {}, h("h3", {}, t("subject.stays")), h("ul", {}, h("li", {}, t("subject.stays_checkins")), h("li", {}, t("subject.stays_trail")), h("li", {}, t("subject.stays_backups")))),
        form([field("typed", t("subject.erase_type", { word }), { required: true, autocomplete: "off", spellcheck: "false" }),
          may("admin") ? field("despite_hold", t("subject.erase_despite"), { minlength: 3, maxlength: 500 }) : null].filter(Boolean), t("subject.erase_now"), erase, "bad"))));
}

/**
 * How the legal basis stands, its renewal, and its withdrawal: by whoever sits here, or by the person's own link.
 * @param {import("api").components["schemas"]["SubjectDocument"]} one
 */
function basisPanel(one) {
  const outcome = h("div.stack");
  const withdraw = async () => {
    const receipt = await call("POST", `/v1/subjects/${one.id}/withdrawal`, { key: newKey() });
    outcome.replaceChildren(notice("good", t("basis.receipt", { templates: receipt.templates, crops: receipt.crops, seq: receipt.audit_seq })));
  };
  const link = async () => {
    const made = await call("POST", `/v1/subjects/${one.id}/withdrawal-link`, { key: newKey() });
    outcome.replaceChildren(notice("good", t("basis.link_made", { date: date(made.expires_at) })), h("p.mono", {}, made.url));
  };
  const renew = async ({ basis, reference, until }) => {
    const legal_basis = { ...one.legal_basis, basis, reference: reference || null, expires_at: until ? new Date(`${until}T23:59:59`).toISOString() : null };
    delete legal_basis.withdrawn_at;
    await call("PATCH", `/v1/subjects/${one.id}`, { json: { legal_basis } });
    again();
  };
  const ask = () => outcome.replaceChildren(h("p", {}, t("basis.withdraw_sure")), form([], t("basis.withdraw_confirm"), withdraw));
  const warns = ["expiring", "expired", "withdrawn"].includes(one.legal_basis_state);
  return h("section.card.stack", {}, h("h2", {}, t("basis.filter")),
    warns ? notice("wait", basisText(one)) : h("p", {}, basisText(one)),
    may("enrol") && form([
      field("basis", t("basis.renew_basis"), { required: true, maxlength: 255, value: one.legal_basis?.basis ?? "" }),
      field("reference", t("basis.renew_reference"), { maxlength: 255, value: one.legal_basis?.reference ?? "" }),
      field("until", t("basis.renew"), { type: "date" }),
    ], t("basis.save"), renew, "plain"),
    may("enrol") && h("div", {},
      one.withdrawn_at ? null : h("button", { type: "button", id: "withdraw", onclick: ask }, t("basis.withdraw")),
      one.withdrawn_at ? null : h("button.plain", { type: "button", id: "withdrawal-link", onclick: () => link().catch((error) => outcome.replaceChildren(notice("bad", error.message))) }, t("basis.link"))),
    outcome);
}

