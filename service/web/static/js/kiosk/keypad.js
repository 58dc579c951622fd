// A keypad on the screen: digits, and letters where a number has some.

import { h, t } from "../page.js";
import { settings } from "./settings.js";

const DIGITS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "abc", "0", "back"];
const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ-/._", "123", "back"];

/** Whether a keypad is wanted: always, never, or where fingers do the pointing. */
const wanted = () => settings.keypad === "on" || (settings.keypad === "auto" && matchMedia("(pointer: coarse)").matches);

/**
 * Show the keypad for a field, or the tablet's own keyboard.
 *
 * @param {HTMLElement} place
 * @param {HTMLInputElement} field
 */
export function showKeypad(place, field) {
  const has = wanted();
  // With a keypad of ours the tablet's keyboard would cover half of the screen.
  field.inputMode = has ? "none" : "text";
  place.hidden = !has;
  draw(place, field, DIGITS);
}

/** What a key is called where that is not just what is on it; what is on it is part of the name, for whoever says it. */
function nameOf(key) {
  if (key.length === 1) return null;
  return key === "back" ? t("keypad.back") : `${key}: ${t(`keypad.${key}`)}`;
}

function draw(place, field, keys) {
  const press = (key) => {
    if (key === "abc") return draw(place, field, LETTERS);
    if (key === "123") return draw(place, field, DIGITS);
    field.value = key === "back" ? field.value.slice(0, -1) : field.value + key;
    field.dispatchEvent(new Event("input"));
  };
  place.classList.toggle("letters", keys === LETTERS);
  place.replaceChildren(...keys.map((key) =>
    h("button", { type: "button", "aria-label": nameOf(key), onclick: () => press(key) },
      key === "back" ? "⌫" : key)));
}
