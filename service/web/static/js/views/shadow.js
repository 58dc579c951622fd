// A candidate in the shadow of the active model: begun, ended, and what both said.

import { call, date, h, may, newKey, t } from "../page.js";
import { again, asking, notice, table } from "../ui.js";
import { rate } from "./use.js";

const SAID = ["match", "refer", "no_match"];

export async function modelShadow(view, one) {
  const { shadow } = await call("GET", `/v1/models/${one.id}/shadow`);
  const isRunning = shadow?.state === "running";
  view.append(h("section.card.stack", {}, h("h2", {}, t("shadow.title")), h("p.muted", {}, t("shadow.help")),
    isRunning ? notice("wait", t("shadow.running", { since: date(shadow.started_at) })) : null,
    shadow && !isRunning ? h("p", {}, t("shadow.ended", { since: date(shadow.started_at), until: date(shadow.ended_at) })) : null,
    may("models:write") ? change(one, isRunning) : null));
  if (!shadow) return;
  const { items } = await call("GET", `/v1/models/${one.id}/shadow/disagreements?limit=200`);
  view.append(summary(one, shadow), ...["checkin", "verify"].map((kind) => both(kind, shadow.said)), disagreements(items));
}

function change(one, isRunning) {
  const send = (method) => async () => {
    await call(method, `/v1/models/${one.id}/shadow`, { key: newKey(), timeout: 120000 });
    again();
  };
  if (isRunning) return asking(t("shadow.end"), t("shadow.end_sure"), send("DELETE"));
  return one.state === "active" || one.state === "incoming" ? null : asking(t("shadow.start"), t("shadow.start_sure"), send("POST"));
}

function summary(one, shadow) {
  const rows = [
    ["shadow.subjects", String(shadow.subjects)], ["shadow.lacking", String(shadow.subjects_lacking)],
    ["shadow.compared", String(shadow.compared)], ["shadow.agreed", rate(shadow.agreed)],
    ["shadow.active_missed", rate(shadow.active_missed)], ["shadow.candidate_missed", rate(shadow.candidate_missed)],
    ["shadow.no_template", String(shadow.no_template)], ["shadow.failed", String(shadow.failed)], ["shadow.dropped", String(shadow.dropped)],
  ];
  return h("section.card.stack", {}, h("h2", {}, t("shadow.result")),
    h("dl.facts", {}, rows.flatMap(([name, value]) => [h("dt", {}, t(name)), h("dd", {}, value)])),
    h("p.muted.small", {}, t("shadow.unknown")));
}

/** What both said of one kind of comparison: rows are the active model's, columns the candidate's. */
function both(kind, said) {
  const n = (active, candidate) => said.filter((one) => one.kind === kind && one.active === active && one.candidate === candidate).reduce((sum, one) => sum + one.n, 0);
  if (!said.some((one) => one.kind === kind)) return "";
  return h("section.card.stack", {}, h("h2", {}, t(`shadow.${kind}`)),
    table(t(`shadow.${kind}`), [
      [t("shadow.by_active"), (active) => t(`shadow.said_${active}`)],
      ...SAID.map((candidate) => [t("shadow.by_candidate", { said: t(`shadow.said_${candidate}`) }), (active) => String(n(active, candidate))]),
    ], SAID));
}

function disagreements(items) {
  if (!items.length) return "";
  return h("section.card.stack", {}, h("h2", {}, t("shadow.disagreements")), h("p.muted", {}, t("shadow.disagreements_help")),
    table(t("shadow.disagreements"), [
      [t("shadow.checkin_id"), (row) => h("a.mono.small", { href: `#/sessions/${row.session_id}/case/${row.checkin_id}` }, row.checkin_id)],
      [t("shadow.by_active"), (row) => t(`shadow.said_${row.active}`)],
      [t("shadow.candidate"), (row) => t(`shadow.said_${row.candidate}`)],
      ...(items[0].d === undefined ? [] : [["d", (row) => row.d.toFixed(3)]]),
    ], items));
}
