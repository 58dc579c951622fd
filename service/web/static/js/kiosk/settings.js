// What whoever sets a kiosk up has chosen for this tablet; where the browser stores nothing it lasts until a reload.

const NAME = "invigil-kiosk";
const FIRST = { camera: "", mirror: true, light: "auto", keypad: "auto", mode: "entry" };

/** @type {{camera: string, mirror: boolean, light: "auto" | "on" | "off", keypad: "auto" | "on" | "off", mode: "entry" | "movement"}} */
export const settings = /** @type {any} */ ({ ...FIRST, ...stored(NAME) });

export function keep(changes) {
  Object.assign(settings, changes);
  store(NAME, settings);
}

/** What was stored under a name; nothing where storage is denied. */
function stored(name) {
  try {
    return JSON.parse(localStorage.getItem(name) ?? "null");
  } catch {
    return null;
  }
}

function store(name, value) {
  try {
    localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Denied or full: the kiosk works without.
  }
}
