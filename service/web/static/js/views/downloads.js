// Files to keep: reports and lists, on the clocks of this computer and with the separator that its programs want.

import { h, may, t, zone } from "../page.js";
import { choice } from "../ui.js";

const SEPARATORS = ["comma", "semicolon", "tab"];

/**
 * The room sheet of a session, for a day without power or network; with photographs for who may look at them.
 * @returns {[string, string][]}
 */
export function sheets(one) {
  const path = `/v1/sessions/${one.id}/sheet.pdf`;
  const pictured = one.faces !== "off" && may("override", "audit:read");
  return [[path, t("download.sheet")], ...(pictured ? [/** @type {[string, string]} */ ([`${path}?photographs=true`, t("download.sheet_pictures")])] : [])];
}

/** Excel takes a semicolon where the decimal sign is a comma. */
function usual() {
  const sign = new Intl.NumberFormat(navigator.languages ?? undefined).formatToParts(1.5).find(({ type }) => type === "decimal")?.value;
  return sign === "," ? "semicolon" : "comma";
}

/**
 * Links to files, with what a CSV's cells are parted by.
 * @param {[string, string][]} files Path and label of each.
 */
export function downloads(files) {
  const links = files.map(([path, label]) => h("a.button", { download: "", "data-path": path }, label));
  const part = choice("separator", t("download.separator"), SEPARATORS.map((one) => [one, t(`download.${one}`)]));
  const select = /** @type {HTMLSelectElement} */ (part.querySelector("select"));
  const point = () => links.forEach((link) => {
    const path = link.dataset.path ?? "";
    const query = new URLSearchParams({ zone: Intl.DateTimeFormat().resolvedOptions().timeZone, ...(path.endsWith(".csv") ? { separator: select.value } : {}) });
    link.href = `${path}${path.includes("?") ? "&" : "?"}${query}`;
  });
  select.value = usual();
  select.addEventListener("change", point);
  point();
  return h("details", {}, h("summary", {}, t("download.title")), h("div.stack", {},
    h("p.muted.small", {}, t("download.help", { zone: zone() })), part, h("div.row", { style: "flex-wrap: wrap" }, links)));
}
