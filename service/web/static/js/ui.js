// Small pieces that several views are made of.

import { h, svg, t, oneIn, textOf } from "./page.js";

export const TONES = { admitted: "good", identified_manually: "good", referred: "wait", refused: "bad", expected: "" };

let redraw = () => {};
/** Says how the present view is drawn again. */
export const refresh = (draw) => {
  redraw = draw;
};
/** Draw the present view again. */
export const again = () => redraw();

export const notice = (tone, ...children) => h(`div.notice.${tone}`, { role: tone === "bad" ? "alert" : "status" }, ...children);

export const tag = (status) => h(`span.tag.${TONES[status] ?? ""}`, {}, t(`status.${status}`));

export function announce(text) {
  document.getElementById("announce").textContent = text;
}

/** A table; `columns` are [heading, row => cell]. */
export function table(caption, columns, rows) {
  return h("div.scroll", {},
    h("table", {},
      h("caption.sr-only", {}, caption),
      h("thead", {}, h("tr", {}, columns.map(([heading]) => h("th", { scope: "col" }, heading)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, columns.map(([, cell]) => h("td", {}, cell(row) ?? "")))))));
}

/** A labelled input of a form. */
export function field(name, label, attributes = {}) {
  return h("label", {}, label, h("input", { name, ...attributes }));
}

export function choice(name, label, options, attributes = {}) {
  return h("label", {}, label,
    h("select", { name, ...attributes }, options.map(([value, text]) => h("option", { value }, text))));
}

/** A tag for a moment's answer, at the foot of the page; it leaves by itself. */
export function toast(...children) {
  const shown = h("div.toast", { role: "status" }, ...children);
  document.getElementById("toasts").append(shown);
  setTimeout(() => shown.remove(), 12000);
}

/** A form that shows why it was refused; `send` gets its values. */
export function form(children, label, send, tone = "primary") {
  const problem = h("div.wide");
  const button = h(`button.${tone}`, {}, label);
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    problem.replaceChildren();
    try {
      await send(Object.fromEntries(new FormData(event.target)), event);
    } catch (error) {
      problem.replaceChildren(notice("bad", error.message));
    } finally {
      button.disabled = false;
    }
  };
  return h("form.fields", { onsubmit: submit }, ...children, problem, h("div", {}, button));
}

/**
 * A distance on its scale from 0 to 2, with both thresholds and what they mean.
 * Green: would be a match; amber: a person decides; red: nearer to a stranger than the exam allows.
 */
export function distanceScale(d, threshold, fmr) {
  const end = Math.max(2, d + 0.1);
  const x = (value) => 10 + (value / end) * 580;
  const band = (from, to, colour) =>
    svg("rect", { x: x(from), y: 34, width: Math.max(0, x(to) - x(from)), height: 16, fill: colour });
  const limit = (value, text, y) => [
    svg("line", { x1: x(value), x2: x(value), y1: 28, y2: 56, stroke: "currentColor", "stroke-width": 2 }),
    svg("text", { x: x(value), y, "text-anchor": "middle" }, text),
  ];
  return h("figure", { style: "margin:0" },
    svg("svg", { class: "scale", viewBox: "0 0 600 92", role: "img", "aria-label": t("case.scale_label", { d: d.toFixed(3) }) },
      band(0, threshold.match, "var(--good)"), band(threshold.match, threshold.refer, "var(--wait)"), band(threshold.refer, end, "var(--bad)"),
      ...limit(threshold.match, `${t("case.match_limit")} ${threshold.match.toFixed(2)}`, 72),
      ...limit(threshold.refer, `${t("case.refer_limit")} ${threshold.refer.toFixed(2)}`, 88),
      svg("path", { d: `M${x(d)} 33l-8-15h16z`, fill: "currentColor" }),
      svg("text", { x: Math.min(560, Math.max(40, x(d))), y: 13, "text-anchor": "middle", "font-weight": 700 }, `d = ${d.toFixed(3)}`)),
    h("figcaption.small", {},
      h("p", {}, fmr.at_d === null ? t("case.fmr_beyond") : t("case.fmr_at_d", { n: oneIn(fmr.at_d) })),
      h("p.muted", {}, t("case.limits_mean", { match: oneIn(fmr.match), refer: oneIn(fmr.refer) }))));
}

/** Why somebody needs a person, to whoever helps: an unknown code shows itself. */
export const needText = (code) => textOf(`need.${code}`) ?? reasonText(code);

/** Codes as sentences; an unknown code shows itself. */
export const reasonText = (code) => textOf(`reason.${code}`) ?? textOf(`guide.${code}`) ?? code;
