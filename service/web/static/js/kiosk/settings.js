// What whoever sets a kiosk up has chosen for this tablet; where the browser stores nothing it lasts until a reload.

import { ofBrowser, readKept } from "../kept.js";

const NAME = "invigil-kiosk";
const FIRST = { camera: "", mirror: true, light: "auto", keypad: "auto", mode: "entry" };

/** @type {{camera: string, mirror: boolean, light: "auto" | "on" | "off", keypad: "auto" | "on" | "off", mode: "entry" | "movement"}} */
export const settings = /** @type {any} */ ({ ...FIRST, ...readKept(ofBrowser, NAME) });

export function keep(changes) {
  Object.assign(settings, changes);
  ofBrowser.set(NAME, JSON.stringify(settings));
}
