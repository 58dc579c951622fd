// The messages of one session, or of all rooms, as they come, over every kind of lost connection.
//
// An EventSource comes back by itself from a closed connection, and never from an answer that is not 200; nor does
// it notice a line that is dead without having been closed. Both are seen to here.

import { call, Problem } from "./page.js";

const KINDS = ["snapshot", "rooms", "checkin", "override", "declined", "roster", "session", "attended", "candidate", "movement", "standing"];
/** The server says something every 15 seconds at the latest. */
const LONGEST_SILENCE_MS = 35000;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15000;

/**
 * Where messages come from, and what says why there are none.
 * @typedef {{stream: string, ask: string}} Source
 */

/** @param {string} id @returns {Source} */
export const ofSession = (id) => ({ stream: `/v1/sessions/${id}/live`, ask: `/v1/sessions/${id}` });

/** All open rooms, or those of one exam.
 * @param {string} [examId] @returns {Source} */
export function ofRooms(examId) {
  const query = examId ? `?exam_id=${encodeURIComponent(examId)}` : "";
  return { stream: `/v1/waiting/live${query}`, ask: `/v1/waiting${query}` };
}

/**
 * Follow a source until `stop` is called.
 *
 * @param {Source} from
 * @param {{message: (kind: string, data: any) => void, state: (name: "live" | "lost" | "closed" | "gone", at?: string, missing?: any[]) => void}} listener
 */
export function follow(from, { message, state }) {
  let source = /** @type {EventSource | null} */ (null);
  let heard = Date.now();
  let wait = FIRST_WAIT_MS;
  let later = 0;
  let stopped = false;

  const alive = () => {
    heard = Date.now();
    wait = FIRST_WAIT_MS;
    if (!stopped) state("live");
  };
  const end = (name, at = undefined, missing = []) => {
    stop();
    state(name, at, missing);
  };
  const open = () => {
    clearTimeout(later);
    source?.close();
    if (stopped) return;
    heard = Date.now();
    const mine = new EventSource(from.stream);
    source = mine;
    mine.onopen = alive;
    mine.addEventListener("heartbeat", alive);
    for (const kind of KINDS) {
      mine.addEventListener(kind, (event) => {
        if (mine !== source) return;
        alive();
        message(kind, JSON.parse(event.data));
      });
    }
    mine.addEventListener("closed", (event) => {
      const { closed_at, not_returned } = JSON.parse(event.data);
      end("closed", closed_at, not_returned);
    });
    mine.onerror = () => {
      if (mine !== source || stopped) return;
      state("lost");
      if (mine.readyState === EventSource.CLOSED) askLater();
      // Whoever may not watch any longer hears so from any other request, which leads to the sign-in at once.
      else call("GET", from.ask, { timeout: 8000 }).catch(() => {});
    };
  };
  // Why there is no stream, and whether there will be one.
  const ask = async () => {
    try {
      const now = await call("GET", from.ask, { timeout: 8000 });
      if (stopped) return;
      if (now.state === "closed") end("closed", now.closes_at);
      else open();
    } catch (error) {
      if (stopped) return;
      if (error instanceof Problem && error.status === 401) location.reload();
      else if (error instanceof Problem && (error.status === 403 || error.status === 404)) end("gone");
      else askLater();
    }
  };
  const askLater = () => {
    clearTimeout(later);
    later = setTimeout(ask, wait);
    wait = Math.min(LONGEST_WAIT_MS, wait * 2);
  };
  const watch = () => {
    if (stopped || Date.now() - heard < LONGEST_SILENCE_MS) return;
    state("lost");
    open();
  };
  // A computer that slept, or changed its network, has a stream that nobody writes to any more.
  const wake = () => {
    if (document.visibilityState === "visible" && Date.now() - heard > LONGEST_SILENCE_MS / 2) open();
  };
  const away = () => state("lost");
  const ticking = setInterval(watch, 5000);
  document.addEventListener("visibilitychange", wake);
  addEventListener("online", open);
  addEventListener("offline", away);
  open();

  function stop() {
    stopped = true;
    source?.close();
    clearTimeout(later);
    clearInterval(ticking);
    document.removeEventListener("visibilitychange", wake);
    removeEventListener("online", open);
    removeEventListener("offline", away);
  }
  return { stop, again: open };
}
