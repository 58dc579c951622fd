// A distance on its scale: three bands, told by pattern, lightness and words; the number only where it may be seen.

import { h, oneIn, t } from "./page.js";

const BANDS = ["match", "refer", "no_match"];

/** @param {any} attempt With a decision; d, thresholds and rates where the reader may see them. */
export function bandScale(attempt) {
  const { decision, d, threshold, fmr } = attempt;
  const isShown = d !== undefined && d !== null && threshold;
  const end = isShown ? Math.max(2, d + 0.1) : 0;
  const widths = isShown ? [threshold.match, threshold.refer - threshold.match, end - threshold.refer] : [1, 1, 1];
  const bands = BANDS.map((band, place) =>
    h(`div.band.${band}`, { style: `flex:${widths[place]} 1 0`, "aria-current": band === decision && "true" }));
  const marker = isShown ? h("div.marker", { style: `left:${(100 * d) / end}%` }) : null;
  return h("figure.scale", { role: "group", "aria-label": isShown ? t("case.scale_label", { d: d.toFixed(3) }) : t("case.bands") },
    h("div.bands", {}, ...bands, ...(marker ? [marker] : [])),
    h("ul.legend", {}, BANDS.map((band) => h("li", { "aria-current": band === decision && "true" },
      h(`span.key.band.${band}`), h("span", {}, t(`band.${band}`), isShown && band !== "no_match" ? h("span.muted", {}, ` ${t("band.up_to", { d: threshold[band].toFixed(2) })}`) : "")))),
    h("figcaption.small", {},
      isShown ? h("p", {}, h("strong", {}, `d = ${d.toFixed(3)}`), ". ", fmr.at_d === null ? t("case.fmr_beyond") : t("case.fmr_at_d", { n: oneIn(fmr.at_d) })) : "",
      isShown ? h("p.muted", {}, t("case.limits_mean", { match: oneIn(fmr.match), refer: oneIn(fmr.refer) })) : ""));
}
