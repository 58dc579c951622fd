// A tablet that is nobody's kiosk yet: it shows a code until somebody confirms it, and a new one when that has ended.

import { call, Offline, Problem, t, wait } from "../page.js";

const ASK_MS = 2000;

/** @type {(id: string) => any} */
const $ = (id) => document.getElementById(id);

/** Show codes until one is confirmed; the page then begins anew as a kiosk. */
export async function pair() {
  for (;;) {
    try {
      const asked = await call("POST", "/pair");
      showCode(asked);
      await confirmed(asked);
      location.reload();
      return;
    } catch (error) {
      $("code-problem").textContent = error instanceof Problem && error.code === "pairing_ended" ? "" : error.message;
      if (!(error instanceof Problem && error.code === "pairing_ended")) await wait(5 * ASK_MS);
    }
  }
}

function showCode({ code, qr }) {
  $("code").textContent = `${code.slice(0, 4)} ${code.slice(4)}`;
  $("code-qr").src = `data:image/svg+xml,${encodeURIComponent(qr)}`;
  $("code-qr").alt = t("pair.qr");
  $("code-problem").textContent = "";
}

/** Wait until the cookie is there. Throws Problem once the code has ended. */
async function confirmed({ id, secret }) {
  for (;;) {
    await wait(ASK_MS);
    try {
      const answer = await call("POST", "/pair/collect", { json: { id, secret } });
      if (answer.name) return;
    } catch (error) {
      if (!(error instanceof Offline) && error.code !== "rate_limited") throw error;
    }
  }
}
