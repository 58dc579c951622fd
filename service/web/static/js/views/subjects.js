// Subjects: who there is, found by part of a name or number, and adding somebody.

import { call, day, h, may, newKey, t } from "../page.js";
import { choice, field, form, notice, table, when } from "../ui.js";

/** @typedef {import("api").components["schemas"]["SubjectDocument"]} Subject */

const PAGE = 50;
/** What a choice of the filter asks the API for. */
const SHOWN = {
  all: {},
  no_template: { has_template: "false" },
  poor: { is_poor: "true" },
  expiring: { legal_basis: ["expiring"] },
  ended: { legal_basis: ["expired", "withdrawn"] },
  no_basis: { legal_basis: ["none"] },
  twins: { has_twin: "true" },
};
const SORTS = ["-added", "external_id", "name"];

export async function subjects(view, asked = "") {
  const wanted = new URLSearchParams(asked);
  const results = h("section.card.stack", { id: "results" });
  // Not waited for: a form that is being sent takes no second Enter, and whoever types on means the newer text.
  const search = (values) => {
    const kept = new URLSearchParams(Object.entries(values).filter(([, value]) => value).map(([name, value]) => [name, value.trim()]));
    // Whoever comes back from a person finds the same list again.
    history.replaceState(null, "", `#/subjects${kept.size ? `?${kept}` : ""}`);
    show(results, values);
  };
  const create = async ({ external_id, display_name }) => {
    const json = { external_id, ...(display_name ? { display_name } : {}) };
    const made = await call("POST", "/v1/subjects", { json, key: newKey() });
    location.hash = `#/subjects/${made.id}`;
  };
  const chosen = { q: wanted.get("q") ?? "", show: wanted.get("show") ?? "all", sort: wanted.get("sort") ?? SORTS[0] };
  const find = form([
    field("q", t("subject.search"), { type: "search", maxlength: 255, value: chosen.q }),
    choice("show", t("subject.show"), Object.keys(SHOWN).map((name) => [name, t(`subject.show_${name}`)])),
    choice("sort", t("subject.sort"), SORTS.map((name) => [name, t(`subject.sort_${name}`)])),
  ], t("subject.find"), search);
  for (const name of ["show", "sort"]) {
    const select = /** @type {HTMLSelectElement} */ (find.querySelector(`[name=${name}]`));
    select.value = chosen[name];
    select.addEventListener("change", () => find.requestSubmit());
  }
  view.append(...[
    h("div.row.heading", {}, h("h1", {}, t("nav.subjects")), may("enrol") && h("a.button", { href: "#/enrol" }, t("bulk.title")), may("enrol") && waiting(), may("admin") && h("a.button", { href: "#/gallery" }, t("survey.title")), may("enrol") && h("details.adding", {}, h("summary.button", {}, t("subject.new")),
      form([field("external_id", t("person.number"), { required: true, maxlength: 255 }), field("display_name", t("person.name"), { maxlength: 255 })],
        t("subject.create"), create))),
    h("section.card", {}, find),
    results,
  ].filter(Boolean));
  await show(results, chosen);
}

async function show(place, { q, show: shown, sort }) {
  const ask = new URLSearchParams({ limit: String(PAGE), sort: sort || SORTS[0] });
  if (q?.trim()) ask.set("q", q.trim());
  for (const [name, value] of Object.entries(SHOWN[shown] ?? {})) for (const one of [value].flat()) ask.append(name, one);
  const found = [];
  const list = h("div");
  const more = h("button", { type: "button", onclick: () => next() }, t("subject.more"));
  const says = h("p.muted", { role: "status" });
  const next = async () => {
    more.disabled = true;
    try {
      const page = await call("GET", `/v1/subjects?${ask}`);
      found.push(...page.items);
      list.replaceChildren(found.length ? tableOf(found) : "");
      says.textContent = found.length ? t(page.next_cursor ? "subject.shown_more" : "subject.shown", { n: found.length }) : t("subject.none");
      more.hidden = !page.next_cursor;
      if (page.next_cursor) ask.set("cursor", page.next_cursor);
    } catch (error) {
      says.replaceChildren(notice("bad", error.message));
    }
    more.disabled = false;
  };
  place.replaceChildren(says, list, h("div", {}, more));
  await next();
}

const tableOf = (found) => table(t("nav.subjects"), [
  [t("person.number"), (one) => h("a", { href: `#/subjects/${one.id}` }, h("bdi", {}, one.external_id ?? t("subject.no_number")))],
  [t("person.name"), (one) => h("bdi", {}, one.display_name ?? "–")],
  [t("subject.template"), templateTag],
  [t("basis.filter"), (one) => basisText(one)],
  [t("subject.since"), (one) => when(one.created_at, day)],
], found);

/** The way to pictures that people have sent, with how many wait. */
function waiting() {
  const link = h("a.button", { href: "#/proposals" }, t("proposal.title"));
  call("GET", "/v1/proposals?limit=100").then((page) => {
    const n = page.items.length;
    if (n) link.append(h("span.tag.wait", {}, page.next_cursor ? `${n}+` : String(n)));
  }, () => {});
  return link;
}

/** Whether a picture of this person can be compared, in words. @param {Subject} one */
export function templateTag(one) {
  const tags = [!one.templates
    ? h("span.tag.bad", {}, t("subject.tag_none"))
    : one.is_poor ? h("span.tag.wait", {}, t("subject.tag_poor")) : h("span.tag.good", {}, t("subject.tag_good", { date: day(one.enrolled_at) }))];
  if (one.twins) tags.push(h("span.tag.wait", {}, t("subject.tag_twin")));
  return h("div.row.tight", {}, tags);
}

/** @param {Subject} one */
export function basisText(one) {
  const end = one.legal_basis?.expires_at;
  return [t(`basis.${one.legal_basis_state}`), end && t("basis.ends", { date: day(end) })].filter(Boolean).join(" · ");
}
