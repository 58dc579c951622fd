// The whole gallery looked over: photographs that may be under a wrong name, and who looks like whom.

import { call, h, setTitle, t } from "../page.js";
import { table } from "../ui.js";

/** @typedef {import("api").components["schemas"]["Doubt"]} Doubt */
/** @typedef {import("api").components["schemas"]["NearPair"]} NearPair */
/** @typedef {import("api").components["schemas"]["Known"]} Known */

const TONES = { match: "bad", refer: "wait", no_match: "" };

/** @param {Known | null} one */
const person = (one) => (one === null ? "–" : h("a", { href: `#/subjects/${one.subject_id}` },
  h("bdi", {}, [one.display_name, one.external_id].filter(Boolean).join(" · ") || t("subject.no_number"))));

/** A distance, for whoever may see it. @param {number | null | undefined} d */
const distance = (d) => (typeof d === "number" ? h("span.mono", {}, d.toFixed(3)) : "–");

const of = (shown, all) => t("survey.shown", { n: shown, all });

export async function survey(view) {
  setTitle(t("survey.title"));
  const says = h("p.muted", { id: "compared", role: "status" }, t("survey.comparing"));
  view.append(h("div", {}, h("h1", {}, t("survey.title")), h("p.muted", {}, t("survey.help"))), says);
  const found = await call("GET", "/v1/gallery/survey", { timeout: 120_000 });
  says.textContent = t("survey.compared", { templates: found.templates, people: found.people });
  const seesScores = found.pairs.length > 0 && found.pairs[0].d !== undefined;
  view.append(
    h("section.card.stack", { id: "doubts" }, h("h2", {}, t("survey.doubts")), h("p.muted", {}, t("survey.doubts_help")),
      found.doubts.length ? table(t("survey.doubts"), [
        [t("survey.whose"), (/** @type {Doubt} */ one) => person(one.subject)],
        [t("survey.why"), (/** @type {Doubt} */ one) => t(`survey.${one.kind}`)],
        [t("survey.nearest"), (/** @type {Doubt} */ one) => person(one.other)],
        ...(seesScores ? [[t("survey.own_d"), (/** @type {Doubt} */ one) => distance(one.own_d)], [t("survey.other_d"), (/** @type {Doubt} */ one) => distance(one.other_d)]] : []),
      ], found.doubts) : h("p", {}, t("survey.no_doubts")),
      found.doubts.length < found.doubts_in_all ? h("p.muted.small", {}, of(found.doubts.length, found.doubts_in_all)) : ""),
    h("section.card.stack", { id: "pairs" }, h("h2", {}, t("survey.pairs")), h("p.muted", {}, t("survey.pairs_help")),
      found.pairs.length ? table(t("survey.pairs"), [
        [t("survey.whose"), (/** @type {NearPair} */ one) => person(one.a)],
        [t("survey.nearest"), (/** @type {NearPair} */ one) => person(one.b)],
        [t("survey.decision"), (/** @type {NearPair} */ one) => h("span", { class: `tag ${TONES[one.decision]}` }, t(`survey.pair_${one.decision}`))],
        ...(seesScores ? [["d", (/** @type {NearPair} */ one) => distance(one.d)]] : []),
      ], found.pairs) : h("p", {}, t("survey.no_pairs")),
      found.pairs.length < found.pairs_in_all ? h("p.muted.small", {}, of(found.pairs.length, found.pairs_in_all)) : ""),
  );
}
