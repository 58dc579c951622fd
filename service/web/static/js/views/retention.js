// Retention: what is kept until when, what goes next, and what is kept from that.

import { call, date, day, h, may, newKey, t } from "../page.js";
import { again, choice, field, form, notice, table } from "../ui.js";

/** @typedef {import("api").components["schemas"]["ExamRetention"]} ExamRetention */
/** @typedef {import("api").components["schemas"]["KeptKind"]} KeptKind */
/** @typedef {import("api").components["schemas"]["Hold"]} Hold */

const KINDS = ["appeal", "complaint", "legal"];
const STANDINGS = ["held", "announced", "due", "kept", "for_ever", "purged"];
const TONES = { held: "wait", announced: "bad", due: "bad", kept: "good", for_ever: "", purged: "" };

export async function retention(view) {
  const [whole, holds] = await Promise.all([call("GET", "/v1/retention"), call("GET", "/v1/holds?limit=200")]);
  view.append(
    h("div", {}, h("h1", {}, t("retention.title")), h("p.muted", {}, t("retention.help"))),
    whole.clock_leap ? notice("bad", h("p", {}, t("installation.leapt", { before: date(whole.clock_leap.before), after: date(whole.clock_leap.after) })),
      may("audit:read") ? h("a", { href: "#/installation" }, t("nav.installation")) : null) : "",
    h("section.card.stack", {}, h("h2", {}, t("retention.holds")), h("p.muted", {}, t("retention.holds_help")),
      holds.items.length ? h("ul.list", { id: "holds" }, holds.items.map((one) => h("li", {}, holdCard(one, true)))) : h("p.muted", {}, t("retention.no_holds"))),
    await examsCard(),
    h("section.card.stack", {}, h("h2", {}, t("retention.kinds")),
      h("p.muted", {}, whole.announced_at ? t("retention.swept", { date: date(whole.announced_at) }) : t("retention.never_swept")),
      table(t("retention.kinds"), [
        [t("retention.kind"), (row) => h("div", {}, t(`retention.${row.kind}`), h("div.muted.small", {}, ruleOf(row)))],
        [t("retention.count"), (row) => String(row.kept)],
        [t("retention.next"), nextOf],
        [t("retention.on_hold"), (row) => (row.held ? h("span.tag.wait", {}, String(row.held)) : "–")],
      ], whole.kinds)),
  );
}

/** Until when a kind of data is kept. @param {KeptKind} row */
const ruleOf = (row) => t(row.days === null ? `retention.rule_${row.kind}_else` : `retention.rule_${row.kind}`, { n: row.days ?? 0 });

/** @param {KeptKind} row */
function nextOf(row) {
  const said = [
    row.next ? t("retention.n_next", { n: row.next }) : null,
    row.announced ? t("retention.n_announced", { n: row.announced, date: date(row.goes_at) }) : null,
  ].filter(Boolean);
  return said.length ? said.map((text) => h("div", {}, text)) : "–";
}

/** The exams, a page at a time, all or those that stand in one way. */
async function examsCard() {
  const list = h("ul.list", { id: "retention-exams" });
  const more = h("button", { type: "button", onclick: () => next() }, t("subject.more"));
  let standing = "";
  let cursor = null;
  const next = async () => {
    const query = new URLSearchParams({ limit: "20", ...(standing ? { standing } : {}), ...(cursor ? { cursor } : {}) });
    const page = await call("GET", `/v1/retention/exams?${query}`);
    list.append(...page.items.map((one) => h("li", {}, examCard(one))));
    cursor = page.next_cursor;
    more.hidden = !cursor;
    if (!list.children.length) list.append(h("li.muted", {}, t("retention.no_exams")));
  };
  const filter = choice("standing", t("retention.standing"), [["", t("retention.all")], ...STANDINGS.map((one) => [one, t(`retention.${one}`)])]);
  filter.addEventListener("change", ({ target }) => {
    standing = /** @type {HTMLSelectElement} */ (target).value;
    cursor = null;
    list.replaceChildren();
    next();
  });
  await next();
  return h("section.card.stack", {}, h("h2", {}, t("nav.exams")), filter, list, more);
}

/** @param {ExamRetention} one */
function examCard(one) {
  const rows = ["roster_entries", "checkins", "overrides", "movements", "thumbnails"].filter((name) => one[name]);
  return h("article.stack.exam-kept", { "aria-label": one.name },
    h("div.row.tight", {}, h("h3", {}, h("a", { href: `#/exams/${one.exam_id}` }, h("bdi", {}, one.name))),
      h(`span.tag.${TONES[one.standing]}`, {}, t(`retention.${one.standing}`)), one.archived_at ? h("span.tag", {}, t("retention.archived")) : null),
    h("p", {}, whenOf(one)),
    one.candidates_on_hold ? h("p", {}, t("retention.candidates")) : null,
    rows.length ? h("p.muted.small", {}, rows.map((name) => t(`retention.n_${name}`, { n: one[name] })).join(" · ")) : null,
    ...one.holds.map((hold) => holdCard(hold, false)),
    may("exams:write") && !one.purged_at ? holdForm({ exam_id: one.exam_id }) : null);
}

/** @param {ExamRetention} one */
function whenOf(one) {
  if (one.standing === "announced") return t("retention.goes", { announced: date(one.announced_at), date: date(one.goes_at) });
  if (one.standing === "purged") return t("retention.gone", { date: date(one.purged_at) });
  if (one.standing === "due") return t("retention.overdue", { date: day(one.due_at) });
  if (one.due_at === null) return t("retention.no_end");
  return t("retention.until", { date: day(one.due_at), appeals: day(one.appeal_ends_at) });
}

/** A hold with its reason, and the form that lifts it. @param {Hold} one @param {boolean} linked */
function holdCard(one, linked) {
  const lift = async ({ reason }) => {
    await call("POST", `/v1/holds/${one.id}/lift`, { json: { reason }, key: newKey() });
    again();
  };
  const [to, text] = one.exam_id ? [`#/exams/${one.exam_id}`, "retention.hold_exam"] : [`#/subjects/${one.subject_id}`, "retention.hold_subject"];
  return notice("wait",
    h("p", {}, h("strong", {}, t(`retention.kind_${one.kind}`)), " ", h("bdi", {}, one.reason)),
    h("p.muted.small", {}, t("retention.put", { who: one.put_by.replace(/ \([^()]*\)$/, ""), date: date(one.created_at) })),
    linked ? h("p", {}, h("a", { href: to }, t(text))) : null,
    may("exams:write") ? h("details", {}, h("summary", {}, t("retention.lift")), h("div.stack", {}, h("p.muted", {}, t("retention.lift_help")),
      form([field("reason", t("retention.lift_reason"), { required: true, minlength: 3, maxlength: 500 })], t("retention.lift"), lift, "plain"))) : null);
}

/** @param {{exam_id?: string, subject_id?: string}} of */
function holdForm(of) {
  const put = async ({ kind, reason }) => {
    await call("POST", "/v1/holds", { json: { ...of, kind, reason }, key: newKey() });
    again();
  };
  return h("details", {}, h("summary", {}, t("retention.put_hold")),
    form([choice("kind", t("retention.what_for"), KINDS.map((kind) => [kind, t(`retention.kind_${kind}`)])),
      field("reason", t("retention.reason"), { required: true, minlength: 3, maxlength: 500 })], t("retention.put_hold"), put, "plain"));
}

/** What keeps a subject, on its own page. @param {string} subjectId */
export async function holdsOf(subjectId) {
  const { items } = await call("GET", `/v1/holds?subject_id=${subjectId}`);
  if (!items.length && !may("exams:write")) return null;
  return h("section.card.stack", { id: "holds" }, h("h2", {}, t("retention.on_hold")), h("p.muted", {}, t("retention.subject_help")),
    ...items.map((one) => holdCard(one, false)), may("exams:write") ? holdForm({ subject_id: subjectId }) : null);
}
