// A model in use: what became of its attempts by week and kiosk, and whether that has changed.

import { call, h, language, t } from "../page.js";
import { notice, table } from "../ui.js";

const RATES = ["referral", "override", "refusal", "false_non_match", "false_match"];
const percent = (value) => `${(100 * value).toFixed(2)} %`;
const range = ([low, high]) => `${(100 * low).toFixed(1)} … ${(100 * high).toFixed(1)} %`;
const day = (text) => new Date(`${text}T00:00:00Z`).toLocaleDateString(language, { timeZone: "UTC", dateStyle: "medium" });

/** @param {any} one a rate with its interval */
export const rate = (one) => (one.share === null ? "–" : h("span", {}, `${percent(one.share)} `, h("span.muted.small.nobreak", {}, `(${range(one.interval)})`)));

const columns = () => [
  [t("use.attempts"), (row) => String(row.counts.attempts)],
  ...RATES.map((name) => [t(`use.${name}`), (row) => rate(row.rates[name])]),
];

/** @param {any[]} alarms as an installation or a model's use tells them */
export const alarmList = (alarms) => h("ul", {}, alarms.map((one) => h("li", {},
  t(`use.alarm_${one.above}`, { rate: t(`use.${one.rate}`), share: percent(one.now.share), limit: percent(one.limit) }))));

export async function modelUse(view, one) {
  const use = await call("GET", `/v1/models/${one.id}/use`);
  if (!use.total.counts.attempts) return view.append(h("p.muted", {}, t("use.none")));
  return view.append(
    one.state === "active" ? alarms(use) : "",
    h("section.card.stack", {}, h("p.muted", {}, t("use.help", { since: day(use.since) })),
      table(t("use.by_week"), [[t("use.week"), (row) => (row.week ? day(row.week) : h("strong", {}, t("use.all")))], ...columns()], [use.total, ...use.weeks.toReversed()]),
      use.promised ? h("p", {}, promised(use.promised)) : null,
      h("p.muted", {}, t("use.implied"))),
    h("section.card.stack", {}, h("h2", {}, t("use.by_kiosk")),
      table(t("use.by_kiosk"), [[t("use.kiosk"), (row) => row.kiosk || t("use.no_kiosk")], ...columns()], use.kiosks)),
  );
}

const promised = (one) => t("use.promised", { share: percent(one.false_non_match), interval: one.interval ? range(one.interval) : "–", fmr: one.fmr });

const alarms = (use) => notice(use.alarms.length ? "bad" : "good",
  h("strong", {}, t(use.alarms.length ? "use.alarm_title" : "use.no_alarm")),
  use.alarms.length ? alarmList(use.alarms) : null,
  h("p.small", {}, t("use.alarm_rule", { recent: use.recent_weeks, fewest: use.fewest_attempts })));
