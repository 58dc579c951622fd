// People who sign in: who there is, inviting somebody, changing a role, a new link, an end.

import { all, call, date, h, newKey, t } from "../page.js";
import { again, asking, choice, field, form, once, table } from "../ui.js";

const ROLES = ["invigilator", "exam_office", "registrar", "auditor", "administrator"];
const BY_EXAM = "invigilator";

/** @typedef {import("api").components["schemas"]["OperatorDocument"]} Operator */
/** @typedef {import("api").components["schemas"]["Exam"]} Exam */

export async function people(view) {
  const [known, exams] = await Promise.all([all("/v1/operators"), all("/v1/exams")]);
  const active = known.filter((one) => !one.ended_at);
  const ended = known.filter((one) => one.ended_at);
  const link = h("div", { id: "link" });
  const invite = async (values, event) => {
    const json = { name: values.name, login: values.login, ...roleOf(event.target) };
    const made = await call("POST", "/v1/operators", { json, key: newKey() });
    event.target.reset();
    event.target.dispatchEvent(new Event("change"));
    link.replaceChildren(linkOnce(made, "people.link"));
    list.replaceChildren(tableOf([...active, made], exams));
    active.push(made);
  };
  const list = h("section.card", {}, active.length ? tableOf(active, exams) : h("p.muted", {}, t("people.none")));
  view.append(
    h("div", {}, h("h1", {}, t("nav.people")), h("p.muted", {}, t("people.help"))),
    list,
    h("section.card.stack", { "aria-labelledby": "invite" }, h("h2", { id: "invite" }, t("people.invite")),
      form([
        field("name", t("people.name_shown"), { required: true, maxlength: 100 }),
        field("login", t("people.login"), { required: true, maxlength: 100, autocapitalize: "none", spellcheck: "false" }),
        ...roleFields(BY_EXAM, null, exams),
      ], t("people.make_link"), invite), link),
    ended.length ? h("details", {}, h("summary", {}, t("people.ended", { n: ended.length })), tableOf(ended, exams)) : "",
  );
}

const tableOf = (some, exams) => table(t("nav.people"), [
  [t("people.name"), (one) => h("div", {}, h("a", { href: `#/people/${one.id}` }, one.name), h("div.muted.small", {}, one.login))],
  [t("people.role"), (one) => h("div", {}, t(`role.${one.role}`), one.exam_ids ? h("div.muted.small", {}, namesOf(one.exam_ids, exams)) : null)],
  [t("people.second_factor"), (one) => (one.has_second_factor ? t("people.yes") : "–")],
  [t("people.last"), (one) => (one.last_signed_in_at ? date(one.last_signed_in_at) : "–")],
  [t("people.state"), stateTag],
], some);

const namesOf = (ids, exams) => ids.map((id) => exams.find((one) => one.id === id)?.name ?? t("people.other_exam")).join(", ");

/** @param {Operator} one */
function stateTag(one) {
  const state = one.ended_at ? "ended" : one.has_password || one.issuer ? "active" : one.invited_until ? "invited" : "lapsed";
  const tone = { active: "good", invited: "wait", lapsed: "bad" }[state] ?? "";
  return h(`span.tag.${tone}`, {}, t(state === "ended" ? "people.ended_tag" : `people.${state}`));
}

const linkOnce = (made, text) =>
  once("invitation", `${location.origin}${made.link}`, t(text, { name: made.name, until: date(made.link_expires_at) }));

/** The fields of a role: what it means in words, and for an invigilator which exams.
 * @param {string} role
 * @param {string[] | null} mine
 * @param {Exam[]} exams */
function roleFields(role, mine, exams) {
  const help = h("p.muted.small.wide", {}, "");
  const boxes = exams.map((exam) => h("label.check", {},
    h("input", { type: "checkbox", name: "exam", value: exam.id, checked: mine?.includes(exam.id) }), exam.name));
  const some = h("fieldset.wide.stack", {}, h("legend", {}, t("people.which_exams")), h("p.muted.small", {}, t("people.all_exams_help")), ...boxes);
  const select = choice("role", t("people.role"), ROLES.map((name) => [name, t(`role.${name}`)]));
  const input = select.querySelector("select");
  const show = () => {
    help.textContent = t(`role.${input.value}_help`);
    some.hidden = input.value !== BY_EXAM || !exams.length;
  };
  input.value = role;
  select.addEventListener("change", show);
  // After a form is emptied its fields change without a word.
  queueMicrotask(() => input.form?.addEventListener("change", show));
  show();
  return [select, help, some];
}

/** Role and exams as a form says them; no exam is chosen: all of them. */
function roleOf(of) {
  const role = of.elements.role.value;
  const chosen = [...of.querySelectorAll("input[name=exam]:checked")].map((box) => box.value);
  return { role, exam_ids: role === BY_EXAM && chosen.length ? chosen : null };
}

export async function person(view, id) {
  const [one, exams] = await Promise.all([call("GET", `/v1/operators/${id}`), all("/v1/exams")]);
  const link = h("div", { id: "link" });
  const change = async (values, event) => {
    await call("PATCH", `/v1/operators/${id}`, { json: { name: values.name, ...roleOf(event.target) } });
    again();
  };
  const reset = async () => {
    const made = await call("POST", `/v1/operators/${id}/reset`, { key: newKey() });
    link.replaceChildren(linkOnce(made, "people.link"));
  };
  const end = async () => {
    await call("DELETE", `/v1/operators/${id}`);
    location.hash = "#/people";
  };
  view.append(
    h("div", {}, h("a.small", { href: "#/people" }, t("nav.people")), h("h1", {}, one.name), h("div.row", {}, stateTag(one), h("span.muted", {}, one.login))),
    h("dl.facts.card", {}, [
      ["people.role", t(`role.${one.role}`)],
      ["people.signs_in", one.issuer ? t("people.by_issuer", { issuer: one.issuer }) : t("people.by_password")],
      ["people.second_factor", t(one.has_second_factor ? "people.yes" : "people.no")],
      ["people.since", date(one.created_at)],
      ["people.last", one.last_signed_in_at ? date(one.last_signed_in_at) : "–"],
      ...(one.invited_until ? [["people.invited_until", date(one.invited_until)]] : []),
      ...(one.ended_at ? [["people.ended_at", date(one.ended_at)]] : []),
    ].flatMap(([name, value]) => [h("dt", {}, t(name)), h("dd", {}, value)])),
  );
  if (one.ended_at) return;
  view.append(
    h("section.card.stack", {}, h("h2", {}, t("people.change")), h("p.muted", {}, t("people.change_help")),
      form([field("name", t("people.name_shown"), { required: true, maxlength: 100, value: one.name }), ...roleFields(one.role, one.exam_ids, exams)], t("people.save"), change)),
    h("section.card.stack", {}, h("h2", {}, t("people.new_link")), h("p.muted", {}, t("people.new_link_help")),
      asking(t("people.make_link"), t("people.new_link_sure", { name: one.name }), reset), link),
    h("section.card.stack", {}, h("h2", {}, t("people.end")), h("p.muted", {}, t("people.end_help")),
      asking(t("people.end"), t("people.end_sure", { name: one.name }), end)),
  );
}
