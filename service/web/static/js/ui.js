// Small pieces that several views are made of.

import { h, t, textOf } from "./page.js";

export const TONES = { admitted: "good", identified_manually: "good", referred: "wait", refused: "bad", expected: "" };

let redraw = () => {};
/** Says how the present view is drawn again. */
export const refresh = (draw) => {
  redraw = draw;
};
/** Draw the present view again. */
export const again = () => redraw();

/**
 * A button that asks before it does something that cannot be taken back.
 * @param {string} label
 * @param {string} question
 * @param {() => Promise<any>} act
 */
export function asking(label, question, act) {
  const place = h("div.stack");
  const back = () => {
    place.replaceChildren(h("div", {}, h("button", { type: "button", onclick: ask }, label)));
    place.querySelector("button").focus();
  };
  const sure = async (event) => {
    event.target.disabled = true;
    try {
      await act();
    } catch (error) {
      place.replaceChildren(notice("bad", error.message));
    }
  };
  const ask = () => {
    const yes = h("button.bad", { type: "button", onclick: sure }, label);
    place.replaceChildren(h("p", {}, question), h("div.row", {}, yes, h("button.plain", { type: "button", onclick: back }, t("ask.no"))));
    yes.focus();
  };
  place.append(h("div", {}, h("button", { type: "button", onclick: ask }, label)));
  return place;
}

/** Something that is shown once, to be copied. */
export function once(id, text, ...says) {
  const copied = h("span", { role: "status" });
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    copied.textContent = t("once.copied");
  };
  return notice("good", ...says.map((one) => h("p", {}, one)), h("p.big-key.mono", { id }, text),
    h("div.row", {}, navigator.clipboard ? h("button", { type: "button", onclick: copy }, t("once.copy")) : null, copied));
}

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
      h("tbody", {}, rows.map((row) => h("tr", {}, columns.map(([heading, cell]) => h("td", { "data-label": heading || null }, cell(row) ?? "")))))));
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

/** Why somebody needs a person, to whoever helps: an unknown code shows itself. */
export const needText = (code) => textOf(`need.${code}`) ?? reasonText(code);

/** Codes as sentences; an unknown code shows itself. */
export const reasonText = (code) => textOf(`reason.${code}`) ?? textOf(`guide.${code}`) ?? code;
