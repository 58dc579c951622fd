// The audit trail: who did what, the newest first.

import { call, date, h, t, zone } from "../page.js";
import { field, form, table } from "../ui.js";

const PAGE = "50";

export async function audit(view) {
  const shown = h("div.stack", { id: "events", "aria-live": "polite" });
  const events = [];
  let asked = {};
  let cursor = null;
  const draw = () => shown.replaceChildren(
    events.length ? table(t("nav.audit"), [
      [`${t("audit.when")} (${zone()})`, (row) => date(row.at)],
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
    ], t("audit.show"), show), shown));
  await more();
}

/** What an event holds, folded away where it is long. */
function details(row) {
  const said = Object.entries({ seq: row.seq, actor: row.actor, ...row.details }).map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`);
  return h("details", {}, h("summary", {}, `#${row.seq}`), h("div.mono.small", {}, said.map((line) => h("div", {}, line)), h("div.muted", {}, row.digest)));
}
