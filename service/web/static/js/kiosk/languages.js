// The language of one person at the kiosk: whoever comes next finds the kiosk's own again.

import { language, speak } from "../page.js";

const OWN = "invigil.kiosk_language";
const NEW = "invigil.language_is_new";
const UNUSED_MS = 30_000;
const chooser = /** @type {HTMLSelectElement} */ (document.getElementById("for-one"));

/** Speak another language from now on. */
export function change(chosen) {
  sessionStorage.removeItem(OWN);
  speak(chosen);
}

/** The languages as options, with the kiosk's own selected. */
export const options = () => Array.from(chooser.options, (one) => [one.value, one.text]);
export const own = () => sessionStorage.getItem(OWN) ?? language;

/** No page can be fetched without a network, so that the language stays as it is. */
export function allow(online) {
  chooser.disabled = !online;
}

/**
 * Go back to the kiosk's own language when somebody is done who had chosen another, or does nothing with it.
 * Called whenever the kiosk is free; `isFree` says whether it still is.
 */
export function release(isFree) {
  const former = sessionStorage.getItem(OWN);
  if (former === null || chooser.disabled) return;
  if (sessionStorage.getItem(NEW) === null) {
    change(former);
    return;
  }
  sessionStorage.removeItem(NEW);
  setTimeout(() => isFree() && release(isFree), UNUSED_MS);
}

chooser.addEventListener("change", () => {
  if (chooser.value === own()) {
    change(chooser.value);
    return;
  }
  sessionStorage.setItem(OWN, own());
  sessionStorage.setItem(NEW, "yes");
  speak(chooser.value);
});
