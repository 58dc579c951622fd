// An exam's report by group: a list is read once, compared with how candidates came in, and kept nowhere.

import { call, h, t } from "../page.js";
import { notice, table } from "../ui.js";
import { share } from "./report.js";

const FEWEST = 20;
const RATES = { verified: "verified", referred: "referred", several: "several_tries", not_acquired: "not_acquired", missed: "missed", wrong: "refused_after_match" };
const LIST = ".csv,.xlsx,.txt,text/csv";

/** The middle one and where it lies. @param {any} seconds */
const secondsOf = (seconds) => (seconds === null ? "–" : [`${Number(seconds.median.toPrecision(3))} `,
  h("span.muted.small.nobreak", {}, `(${seconds.interval.map((one) => Number(one.toPrecision(3))).join(" – ")})`)]);

/** @param {string} exam its id */
export function groupsReport(exam) {
  const place = h("div.stack", { id: "groups", "aria-live": "polite" });
  const look = async (file) => {
    place.replaceChildren();
    try {
      const text = /** @type {any} */ (await file.arrayBuffer());
      place.replaceChildren(...shown(await call("POST", `/v1/exams/${exam}/groups-report`, { text, type: "text/csv", timeout: 120000 })));
    } catch (error) {
      place.replaceChildren(notice("bad", error.message));
    }
  };
  const input = h("input", { type: "file", accept: LIST, class: "sr-only", id: "groups-file" });
  input.addEventListener("change", () => {
    if (input.files?.[0]) look(input.files[0]);
    input.value = "";
  });
  return h("details", { id: "groups-report" }, h("summary", {}, t("group.title")), h("div.stack", {},
    h("p.muted.small", {}, t("group.help", { fewest: FEWEST })),
    h("label.button", { for: "groups-file", style: "display:inline-flex" }, t("group.choose"), input), place));
}

/** @param {import("api").components["schemas"]["GroupsReport"]} report */
function shown(report) {
  const rows = [...report.groups, { group: t("group.together"), transactions: report.together }];
  return [
    report.groups.length ? table(t("group.title"), [
      [t("group.group"), (row) => h("bdi", {}, row.group)],
      [t("group.people"), (row) => String(row.transactions.candidates)],
      ...Object.entries(RATES).map(([name, rate]) => [t(`group.${name}`), (row) => h("div", {}, share(row.transactions[rate]))]),
      [t("group.seconds"), (row) => h("div", {}, secondsOf(row.transactions.seconds))],
    ], rows) : h("p", {}, t("group.none")),
    report.left_out.length ? h("p.muted.small", {}, t("group.left_out", { groups: report.left_out.join(", ") })) : null,
    h("p.muted.small", {}, t("group.rest", { without: report.without_group, unknown: report.unknown })),
  ].filter((one) => one !== null);
}
