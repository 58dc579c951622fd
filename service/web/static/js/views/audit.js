// The audit trail: who did what, the newest first.

import { call, h, t, zone } from "../page.js";
import { field, form, notice, table, when } from "../ui.js";

const PAGE = "50";

export async function audit(view) {
  const shown = h("div.stack", { id: "events", "aria-live": "polite" });
  const events = [];
  let asked = {};
  let cursor = null;
  const draw = () => shown.replaceChildren(
    events.length ? table(t("nav.audit"), [
      [`${t("audit.when")} (${zone()})`, (row) => when(row.at)],
      [t("audit.what"), (row) => h("code", {}, row.action)],
      [t("audit.who"), (row) => row.actor.replace(/ \([^()]*\)$/, "")],
      [t("audit.from"), (row) => row.address],
      [t("audit.details"), details],
    ], events) : h("p.muted", {}, t("audit.none")),
    cursor ? h("div", {}, h("button", { type: "button", onclick: more }, t("audit.more"))) : "");
  async function more() {
    const query = new URLSearchParams({ order: "desc", limit: PAGE, ...asked, ...(cursor ? { cursor } : {}) });
    const page = await call("GET", `/v1/audit-events?${query}`);
    events.push(...page.items);
    cursor = page.next_cursor;
    draw();
  }
  const show = async (values) => {
    const moments = Object.fromEntries(["since", "until"].map((name) => [name, values[name] && new Date(values[name]).toISOString()]));
    asked = Object.fromEntries(Object.entries({ ...values, ...moments }).filter(([, value]) => value));
    events.length = 0;
    cursor = null;
    await more();
  };
  view.append(h("h1", {}, t("nav.audit")), h("p.muted", {}, t("audit.help")),
    h("section.card.stack", {}, form([
      field("actor", t("audit.actor"), { maxlength: 100 }),
      field("action", t("audit.action"), { maxlength: 64 }),
      field("since", t("audit.since"), { type: "datetime-local" }),
      field("until", t("audit.until"), { type: "datetime-local" }),
    ], t("audit.show"), show), shown),
    check());
  await more();
}

/** Walk the whole trail, and say whether it and all evidence are as they were written. */
function check() {
  const result = h("div.stack", { "aria-live": "polite" });
  const verify = async ({ expect }) => {
    result.replaceChildren();
    const found = await call("POST", "/v1/audit-events/verify", { json: { expect: expect ? [expect.trim()] : [] }, timeout: 600000 });
    result.replaceChildren(...reportOf(found));
  };
  return h("section.card.stack", {}, h("h2", {}, t("audit.check")), h("p.muted", {}, t("audit.check_help")),
    form([field("expect", t("audit.expect"), { maxlength: 90 })], t("audit.check_now"), verify, "plain"), result);
}

const FAULTS = { changed: "audit.changed", missing: "audit.missing", reordered: "audit.reordered", "cut off": "audit.cut_off", "anchor changed": "audit.anchor_changed" };

function reportOf(found) {
  const good = found.is_whole && !found.evidence.length;
  return [
    notice(good ? "good" : "bad", found.is_whole ? t("audit.whole", { n: found.events }) : t(FAULTS[found.reason], { n: found.first_bad_seq })),
    found.evidence.length ? notice("bad", t("audit.evidence", { n: found.evidence.length }), h("ul.mono.small", {}, found.evidence.slice(0, 20).map((one) => h("li", {}, `${one.row_id}: ${one.reason}`)))) : null,
    found.is_anchored ? null : notice("wait", t("audit.no_anchor")),
    h("p", {}, t("audit.note")),
    h("p.mono.big-key", {}, found.newest),
  ].filter(Boolean);
}

/** What an event holds, folded away where it is long. */
function details(row) {
  const said = Object.entries({ seq: row.seq, actor: row.actor, ...row.details }).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
  return h("details", {}, h("summary", {}, `#${row.seq}`), h("div.mono.small", {}, said.map((line) => h("div", {}, line)), h("div.muted", {}, row.digest)));
}
