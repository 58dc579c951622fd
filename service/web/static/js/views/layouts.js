// Lists with other headings: which of them is which column is said once, and remembered by name.

import { all, call, h, t } from "../page.js";
import { asking, choice, field, form, notice } from "../ui.js";

/** Our columns, and how many headings may make one up. */
const COLUMNS = [["external_id", 1], ["display_name", 2], ["seat", 1], ["manual_identification", 1], ["private_check", 1], ["twin", 1], ["accommodation", 1]];

/**
 * A form that asks which heading is which column, keeps the answer, and goes on.
 * @param {{headings: string[], example: string[], proposed: Record<string, string[]>}} list
 * @param {string} name Of the file, or of the layout that is to be said anew.
 * @param {(layout: string) => any} go
 */
export function explainColumns({ headings, example, proposed }, name, go) {
  const shown = (heading, place) => (example[place] ? t("layout.option", { heading, example: example[place] }) : heading);
  const options = [["", t("layout.none")], ...headings.map((heading, place) => [heading, shown(heading, place)]).filter(([heading]) => heading)];
  const ask = ([column, parts]) => Array.from({ length: parts }, (_, part) => {
    const given = proposed[column]?.[part] ?? "";
    const label = part ? t("layout.second", { column: t(`column.${column}`) }) : t(`column.${column}`);
    const asked = choice(`${column}.${part}`, label, options, { required: column === "external_id" });
    /** @type {HTMLSelectElement} */ (asked.querySelector("select")).value = given;
    return asked;
  });
  const keep = async (values) => {
    const columns = {};
    for (const [column, parts] of COLUMNS) {
      const chosen = Array.from({ length: Number(parts) }, (_, part) => values[`${column}.${part}`]).filter(Boolean);
      if (chosen.length) columns[column] = chosen;
    }
    await call("PUT", `/v1/list-layouts/${encodeURIComponent(values.name)}`, { json: { columns } });
    go(values.name);
  };
  return h("div.stack", { id: "explain-columns" }, notice("wait", h("p", {}, h("strong", {}, t("layout.unknown"))), h("p", {}, t("layout.help"))),
    form([
      ...COLUMNS.flatMap(ask),
      field("name", t("layout.name"), { required: true, maxlength: 100, value: plainName(name) }),
    ], t("layout.keep"), keep));
}

/** A name for lists like this one: without the ending and the date of the file. */
const plainName = (name) => name.replace(/\.\w{1,5}$/, "").replace(/[\d_]+/g, " ").trim().slice(0, 100) || t("layout.example");

/** The lists that are remembered, to be forgotten. */
export function keptLayouts() {
  const place = h("div.stack");
  const draw = async () => {
    const kept = await all("/v1/list-layouts");
    place.replaceChildren(kept.length ? h("ul.plain-list", {}, kept.map((one) => h("li.row.between", {},
      h("span", {}, h("strong", {}, one.name), h("span.muted", {}, ` · ${words(one.columns)}`)),
      asking(t("layout.forget"), t("layout.forget_sure", { name: one.name }), async () => {
        await call("DELETE", `/v1/list-layouts/${encodeURIComponent(one.name)}`);
        await draw();
      })))) : h("p.muted", {}, t("layout.nothing")));
  };
  const opened = (event) => event.target.open && draw();
  return h("details", { ontoggle: opened, id: "kept-layouts" }, h("summary", {}, t("layout.kept")), place);
}

const words = (columns) => Object.entries(columns).map(([column, headings]) => `${t(`column.${column}`)} = ${headings.join(" + ")}`).join(", ");
