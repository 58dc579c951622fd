// Small pieces that several views are made of.

import { date, h, Problem, t, textOf } from "./page.js";

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
  place.addEventListener("keydown", (event) => event.key === "Escape" && place.childElementCount > 1 && back());
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

/** A QR code that the server has drawn. @param {string} svg @param {string} alt */
export const qrCode = (svg, alt) => h("img.qr", { src: `data:image/svg+xml,${encodeURIComponent(svg)}`, alt });

/** A button that prints one part of the page and nothing else. @param {string} label @param {HTMLElement} part */
export function printing(label, part) {
  part.classList.add("printed");
  const root = document.documentElement;
  const print = () => {
    root.classList.add("prints-part");
    window.print();
    root.classList.remove("prints-part");
  };
  return h("button", { type: "button", onclick: print }, label);
}

export const notice = (tone, ...children) => h(`div.notice.${tone}`, { role: tone === "bad" ? "alert" : "status" }, ...children);

export const tag = (status) => h(`span.tag.${TONES[status] ?? ""}`, {}, t(`status.${status}`));

export function announce(text) {
  document.getElementById("announce").textContent = text;
}

/** A table; `columns` are [heading, row => cell]. */
export function table(caption, columns, rows) {
  return h("div.scroll.stacking", {},
    h("table", {},
      h("caption.sr-only", {}, caption),
      h("thead", {}, h("tr", {}, columns.map(([heading]) => (heading ? h("th", { scope: "col" }, heading) : h("td"))))),
      h("tbody", {}, rows.map((row) => h("tr", {}, columns.map(([heading, cell]) => h("td", { "data-label": heading || null }, cell(row) ?? "")))))));
}

/** A moment in a table, in one piece. @param {string} moment @param {(moment: string) => string} [write] */
export const when = (moment, write = date) => h("time", { datetime: moment }, write(moment));

/** A labelled input of a form. */
export function field(name, label, attributes = {}) {
  return h("label", {}, label, h("input", { name, ...attributes }));
}

export function choice(name, label, options, attributes = {}) {
  return h("label", {}, label,
    h("select", { name, ...attributes }, options.map(([value, text]) => h("option", { value }, text))));
}

/** A tag for a moment's answer, at the foot of the page; it leaves by itself, though not while somebody is on its link. */
export function toast(...children) {
  const shown = h("div.toast", { role: "status" }, ...children);
  document.getElementById("toasts").append(shown);
  const leave = () => (shown.contains(document.activeElement) ? setTimeout(leave, 2000) : shown.remove());
  setTimeout(leave, 12000);
}

const NOT_OF_A_FIELD = /^\/(body|query)\//;

/** What is wrong with a field, in words: what is said of this field, of this kind of fault, or by the server. */
const wrongText = (name, { code, detail }) => textOf(`wrong.${name}`) ?? textOf(`wrong.code.${code}`) ?? detail;

/** Say at each field what is wrong with it; returns what belongs to no field of the form. */
function markFields(form, errors) {
  const left = [];
  for (const error of errors) {
    const name = (error.pointer ?? "").replace(NOT_OF_A_FIELD, "").split("/")[0];
    const input = form.elements.namedItem(name);
    if (!(input instanceof HTMLElement)) {
      left.push(wrongText(name, error));
      continue;
    }
    const id = `wrong-${name}`;
    input.setAttribute("aria-invalid", "true");
    input.setAttribute("aria-describedby", id);
    input.after(h("span.wrong", { id }, wrongText(name, error)));
  }
  const first = form.querySelector("[aria-invalid]");
  for (let box = first?.closest("details"); box; box = box.parentElement?.closest("details")) box.open = true;
  first?.focus();
  return left;
}

function clearFields(form) {
  form.querySelectorAll(".wrong").forEach((said) => said.remove());
  form.querySelectorAll("[aria-invalid]").forEach((input) => {
    input.removeAttribute("aria-invalid");
    input.removeAttribute("aria-describedby");
  });
}

/** A form that shows why it was refused; `send` gets its values. */
export function form(children, label, send, tone = "primary") {
  const problem = h("div.wide");
  const button = h(`button.${tone}`, {}, label);
  const submit = async (event) => {
    event.preventDefault();
    const hadFocus = document.activeElement === button;
    button.disabled = true;
    problem.replaceChildren();
    clearFields(event.target);
    try {
      await send(Object.fromEntries(new FormData(event.target)), event);
    } catch (error) {
      const errors = error instanceof Problem ? (error.body.errors ?? []) : [];
      const left = errors.length ? markFields(event.target, errors) : [error.message];
      if (left.length) problem.replaceChildren(notice("bad", left.join(" ")));
    } finally {
      button.disabled = false;
      // A button that is disabled loses the focus.
      if (hadFocus && button.isConnected && document.activeElement === document.body) button.focus();
    }
  };
  return h("form.fields", { onsubmit: submit }, ...children, problem, h("div", {}, button));
}

/** Why somebody needs a person, to whoever helps: an unknown code shows itself. */
export const needText = (code) => textOf(`need.${code}`) ?? reasonText(code);

/** Codes as sentences; an unknown code shows itself. */
export const reasonText = (code) => textOf(`reason.${code}`) ?? textOf(`guide.${code}`) ?? code;
