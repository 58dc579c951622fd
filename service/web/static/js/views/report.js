// A session's report: what became of each candidate's tries together, before any single attempt.

import { h, t } from "../page.js";

const percent = (value) => `${(100 * value).toFixed(1)} %`;

/** A share, how many of how many, and where the true one lies. @param {any} one a rate with its interval */
export const share = (one) => (one.share === null ? "–" : [`${one.count} / ${one.of} `,
  h("span.muted.small.nobreak", {}, `(${percent(one.share)}; ${percent(one.interval[0])} – ${percent(one.interval[1])})`)]);

/** @param {import("api").components["schemas"]["SessionReport"]} report */
export function reportCard({ transactions: found, attempts }) {
  const { seconds } = found;
  const written = (value) => Number(value.toPrecision(3));
  const facts = [
    [t("report.candidates"), String(found.candidates)],
    [t("report.verified"), share(found.verified)],
    [t("report.after"), found.after.map((one) => `${one.tries}: ${one.candidates}`).join(" · ") || "–"],
    [t("report.referred"), share(found.referred)],
    [t("report.seconds"), seconds ? t("report.seconds_text", { median: written(seconds.median), most: written(seconds.most), n: seconds.of }) : "–"],
  ];
  return h("section.card.stack", { id: "report" }, h("h2", {}, t("report.title")), h("p.muted.small", {}, t("report.help")),
    h("dl.facts", {}, facts.flatMap(([label, value]) => [h("dt", {}, label), h("dd", {}, value)])),
    h("p.muted.small", {}, t("report.attempts", /** @type {any} */ (attempts))));
}
