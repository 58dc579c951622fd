// The language of one person at the kiosk: whoever comes next finds the kiosk's own again.

import { ofTab } from "../kept.js";
import { language, speak } from "../page.js";

const OWN = "invigil.kiosk_language";
const NEW = "invigil.language_is_new";
const UNUSED_MS = 30_000;
const chooser = /** @type {HTMLSelectElement} */ (document.getElementById("for-one"));

/** Speak another language from now on. */
export function change(chosen) {
  ofTab.set(OWN, null);
  speak(chosen);
}

/** The languages as options, with the kiosk's own selected. */
export const options = () => Array.from(chooser.options, (one) => [one.value, one.text]);
export const own = () => ofTab.get(OWN) ?? language;

/** No page can be fetched without a network, so that the language stays as it is. */
export function allow(online) {
  chooser.disabled = !online;
}

/**
 * Go back to the kiosk's own language when somebody is done who had chosen another, or does nothing with it.
 * Called whenever the kiosk is free; `isFree` says whether it still is.
 */
export function release(isFree) {
  const former = ofTab.get(OWN);
  if (former === null || chooser.disabled) return;
  if (ofTab.get(NEW) === null) {
    change(former);
    return;
  }
  ofTab.set(NEW, null);
  setTimeout(() => isFree() && release(isFree), UNUSED_MS);
}

chooser.addEventListener("change", () => {
  if (chooser.value === own()) {
    change(chooser.value);
    return;
  }
  ofTab.set(OWN, own());
  ofTab.set(NEW, "yes");
  speak(chooser.value);
});
