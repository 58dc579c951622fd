// For whoever sets a kiosk up: what it needs, tried out before anybody stands in front of it.

import { call, h, t, wait } from "../page.js";
import { frame } from "../camera.js";
import { cameras, mirror } from "./device.js";
import * as languages from "./languages.js";
import { assess } from "./look.js";
import { installation } from "./reserve.js";
import { keep, settings } from "./settings.js";
import { showKeypad } from "./keypad.js";

const TICK_MS = 1500;
const SLOW_MS = 400;
const SKEW_S = 30;
const MODES = ["entry", "movement"];

/** @type {(id: string) => any} */
const $ = (id) => document.getElementById(id);

/**
 * @param {import("./device.js").Device} device
 * @param {string} sessionId
 */
export async function openSetup(device, sessionId) {
  const dialog = $("setup");
  const list = h("ul.checks", {});
  dialog.replaceChildren(
    h("h1", { id: "setup-title" }, t("setup.title")),
    list,
    h("form.stack", { method: "dialog" }, ...(await choices(device)),
      h("div.row", {},
        h("button", { type: "button", id: "beep", onclick: beep }, t("setup.sound")),
        h("button", { type: "button", id: "fullscreen", onclick: fullscreen }, t("setup.fullscreen")),
        h("button.primary", {}, t("setup.done")))));
  dialog.showModal();
  const tick = async () => list.replaceChildren(...(await checks(device, sessionId)).map(line));
  // Another opening draws another list.
  for (; dialog.open && list.isConnected; await wait(TICK_MS)) await tick();
}

const line = ({ name, ok, values }) =>
  h(`li.${ok ? "good" : "wait"}`, { id: `check-${name}` }, h("span.mark", { "aria-hidden": "true" }, ok ? "✓" : "!"),
    h("span", {}, t(`setup.${name}_${ok ? "good" : "bad"}`, values)));

/** Everything that can be tried, and how it went. */
async function checks(device, sessionId) {
  const { seen, track } = device;
  const size = track?.getSettings() ?? {};
  const net = await network(sessionId);
  const battery = await /** @type {any} */ (navigator).getBattery?.().catch(() => null);
  return [
    { name: "camera", ok: seen !== null && device.problem === null, values: { name: track?.label ?? "", width: size.width, height: size.height, problem: device.problem ?? "" } },
    { name: "light", ok: seen !== null && seen.light > 0.2 && seen.light < 0.85, values: {} },
    await distance(device),
    { name: "network", ok: net.ms !== null && net.ms < SLOW_MS, values: { ms: net.ms ?? "–" } },
    await withoutNetwork(),
    { name: "clock", ok: net.skew !== null && Math.abs(net.skew) < SKEW_S, values: { seconds: net.skew ?? "–" } },
    { name: "awake", ok: "wakeLock" in navigator, values: {} },
    ...(battery ? [{ name: "battery", ok: battery.charging || battery.level > 0.5, values: { percent: Math.round(100 * battery.level) } }] : []),
  ].filter(Boolean);
}

/** Whether the kiosk goes on without network. */
async function withoutNetwork() {
  const { people, problem } = await installation();
  return { name: "installed", ok: people !== undefined, values: { people, problem: problem ? t(`installed.${problem}`) : "" } };
}

async function network(sessionId) {
  const began = performance.now();
  try {
    const { server_time } = await call("GET", `/v1/sessions/${sessionId}`, { timeout: 5000 });
    const ms = Math.round(performance.now() - began);
    return { ms, skew: Math.round((Date.now() - ms / 2 - Date.parse(server_time)) / 1000) };
  } catch {
    return { ms: null, skew: null };
  }
}

/** Whether somebody who stands where candidates will stand is near enough. */
async function distance(device) {
  try {
    const { face, reasons } = await assess(await frame(device.video));
    return { name: "distance", ok: face !== null && !reasons.includes("face_too_small"), values: {} };
  } catch {
    return { name: "distance", ok: false, values: {} };
  }
}

/** The settings of this tablet, as fields that act at once. */
async function choices(device) {
  const found = await cameras();
  const pick = (name, options, act) => {
    const field = h("select", { id: `set-${name}` }, options.map(([value, text]) =>
      h("option", { value, selected: String(name === "language" ? languages.own() : settings[name]) === value }, text)));
    field.addEventListener("change", () => act(field.value));
    return h("label", { for: `set-${name}` }, t(`setup.${name}`), field);
  };
  const three = (name) => ["auto", "on", "off"].map((value) => [value, t(`setup.${name}_${value}`)]);
  return [
    pick("mode", MODES.map((mode) => [mode, t(`setup.mode_${mode}`)]), (mode) => {
      keep({ mode });
      dispatchEvent(new Event("kiosk-mode"));
    }),
    pick("camera", [["", t("setup.camera_any")], ...found.map((one, at) => [one.deviceId, one.label || t("setup.camera_n", { n: at + 1 })])], (camera) => {
      keep({ camera });
      device.open();
    }),
    pick("language", languages.options(), languages.change),
    pick("mirror", [["true", t("setup.mirror_on")], ["false", t("setup.mirror_off")]], (value) => {
      keep({ mirror: value === "true" });
      mirror(device.video);
    }),
    pick("light", three("light"), (light) => keep({ light })),
    pick("keypad", three("keypad"), (keypad) => {
      keep({ keypad });
      showKeypad($("keypad"), $("candidate"));
    }),
  ];
}

/** A short tone: whether the tablet is heard. */
function beep() {
  const sound = new AudioContext();
  const tone = sound.createOscillator();
  tone.connect(sound.destination);
  tone.start();
  tone.stop(sound.currentTime + 0.3);
  tone.onended = () => sound.close();
}

const fullscreen = () => document.documentElement.requestFullscreen?.().catch(() => {});
