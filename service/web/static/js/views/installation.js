// The installation: is it well, what holds it up, and how is it set.

import { call, date, h, may, newKey, t } from "../page.js";
import { again, asking, notice, table } from "../ui.js";
import { alarmList } from "./use.js";

const LOW_SHARE = 0.1;
const GIGABYTE = 1e9;

export async function installation(view) {
  const one = await call("GET", "/v1/installation");
  const set = one.settings.filter((row) => row.is_set);
  const left = one.settings.filter((row) => !row.is_set);
  view.append(
    h("h1", {}, t("nav.installation")),
    ...alarms(one),
    h("section.card.stack", {}, h("h2", {}, t("installation.state")), h("dl.facts", {}, facts(one).flatMap(([name, value]) => [h("dt", {}, t(name)), h("dd", {}, value)]))),
    h("section.card.stack", {}, h("h2", {}, t("installation.settings")), h("p.muted", {}, t("installation.settings_help")),
      set.length ? settings(set, t("installation.settings")) : h("p.muted", {}, t("installation.all_default")),
      h("details", {}, h("summary", {}, t("installation.defaults", { n: left.length })), settings(left, t("installation.defaults", { n: left.length })))),
  );
}

/** What somebody has to do something about; or that there is nothing. */
function alarms(one) {
  const found = [
    one.clock_leap && leapt(one.clock_leap),
    one.templates_left_out && notice("bad", t("installation.left_out", { n: one.templates_left_out })),
    one.use_alarms.length > 0 && useAlarm(one),
    one.anchor_is_changed && notice("bad", t("audit.anchor_changed")),
    one.anchored_events === null && !one.anchor_is_changed && notice("wait", t("audit.no_anchor")),
    one.free_bytes < LOW_SHARE * one.total_bytes && notice("wait", t("installation.disk_low")),
  ].filter(Boolean);
  return found.length ? found : [notice("good", t("installation.well"))];
}

/** The rates of the model in use that have risen, with the way to its page. */
export const useAlarm = (one) => notice("bad", h("strong", {}, t("use.alarm_title")), alarmList(one.use_alarms),
  h("a", { href: `#/models/${one.model_id}/use` }, t("use.look")));

function leapt(leap) {
  const confirm = async () => {
    await call("POST", "/v1/installation/clock", { key: newKey() });
    again();
  };
  return notice("bad", h("p", {}, t("installation.leapt", { before: date(leap.before), after: date(leap.after) })),
    may("admin") ? asking(t("installation.confirm_clock"), t("installation.confirm_sure"), confirm) : null);
}

const gigabytes = (bytes) => (bytes / GIGABYTE).toFixed(1);
const facts = (one) => [
  ["installation.version", one.version],
  ["installation.model", one.model],
  ["case.calibration", h("span.mono.small", {}, one.calibration_id)],
  ["installation.database", `${one.database} (${one.revision ?? "–"})`],
  ["nav.subjects", String(one.subjects)],
  ["subject.templates", String(one.templates)],
  ["installation.disk", t("installation.disk_free", { free: gigabytes(one.free_bytes), total: gigabytes(one.total_bytes) })],
  ["nav.audit", h("a", { href: "#/audit" }, t("installation.events", { n: one.audit_events, noted: one.anchored_events ?? "–" }))],
  ["installation.now", date(one.now)],
];

const settings = (rows, caption) => table(caption, [
  [t("installation.setting"), (row) => h("code", {}, row.name)],
  [t("installation.value"), (row) => h("span.mono.small", { style: "overflow-wrap:anywhere" }, row.is_secret ? t(row.is_set ? "installation.secret_set" : "installation.not_set") : (row.value || t("installation.not_set")))],
], rows);
