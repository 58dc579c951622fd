// Going out and coming back: what a kiosk at the way out asks for, and what it says.

import { call, clock, facts, newKey, t } from "../page.js";
import { settings } from "./settings.js";

/** @type {(id: string) => any} */
const $ = (id) => document.getElementById(id);

/** Whether this kiosk is at the way out. */
export const isAtExit = () => settings.mode === "movement";

/** What a claim or a check-in at this kiosk is for. */
export const kind = () => (isAtExit() ? "return" : "entry");

/** Say what the kiosk is for. */
export function showMode() {
  $("ready-title").textContent = t(isAtExit() ? "move.ready" : "kiosk.ready");
  $("ready-privacy").textContent = t(isAtExit() ? "move.privacy" : "kiosk.privacy");
}

/** Whether somebody who is in the room comes back or leaves; never where they choose neither. */
export function chosen(name, staysUntil) {
  $("going-name").textContent = name;
  $("going-stays").hidden = !staysUntil;
  $("going-stays").textContent = staysUntil ? t("move.stays", { time: clock(staysUntil) }) : "";
  for (const id of ["exit", "end"]) $(id).hidden = Boolean(staysUntil);
  $(staysUntil ? "not-going" : "exit").focus();
  return new Promise((resolve) => {
    $("exit").onclick = () => resolve("exit");
    $("end").onclick = () => resolve("end");
  });
}

/** A movement to record: sent again with the same key it counts once. */
export function sender(candidate, move) {
  const [key, taken] = [newKey(), new Date().toISOString()];
  return () => call("POST", `/v1/sessions/${facts.session_id}/movements`, { key, json: { candidate, kind: move, client_time: taken } });
}

/** What is said of a movement that was recorded. */
export function outcomeOf({ kind: move, display_name, external_id }) {
  const name = display_name ?? external_id;
  const said = move === "end" ? "left" : "gone";
  return { tone: "good", mark: "✓", title: t(`move.${said}`, { name }), detail: t(`move.${said}_detail`) };
}
