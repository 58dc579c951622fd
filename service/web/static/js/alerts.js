// What calls an invigilator who looks elsewhere: a sound, and a number in the page's title. Both can be switched off.

import { ofBrowser } from "./kept.js";

export const isOn = (name) => ofBrowser.get(`invigil.${name}`) !== "off";
export const turn = (name, on) => ofBrowser.set(`invigil.${name}`, on ? "on" : "off");

/** @type {AudioContext | null} */
let audio = null;

// Browsers let a page sound only after somebody has pressed something on it.
addEventListener("pointerdown", prepare, { once: true });
addEventListener("keydown", prepare, { once: true });
function prepare() {
  audio ??= new AudioContext();
}

/** Two short tones, where sound is on. */
export function ring() {
  if (!isOn("sound") || audio === null || audio.state !== "running") return;
  for (const [after, pitch] of [[0, 660], [0.18, 880]]) {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    const from = audio.currentTime + after;
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.0001, from);
    volume.gain.exponentialRampToValueAtTime(0.2, from + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, from + 0.16);
    tone.connect(volume).connect(audio.destination);
    tone.start(from);
    tone.stop(from + 0.17);
  }
}
