// The tablet: its camera, watched and started again; its light, its screen that must not sleep.

import { t, wait } from "../page.js";
import { startCamera, stopCamera } from "../camera.js";
import { Eye } from "./eye.js";
import { settings } from "./settings.js";

const LOOK_MS = 100;
const RETRY_MS = 2000;
/** A camera that was asked for and has not come: the browser asks somebody whether it may, and nobody answers. */
const ASKING_MS = 4000;
/** Before a screen that was let go is kept on again: whatever took it is over by then. */
const REGAIN_MS = 1000;
/** Longer than any exposure, shorter than anybody's patience. */
const FROZEN_MS = 4000;
const BLACK_MS = 4000;
const DARK = 0.16;
const BRIGHT = 0.3;

/**
 * The camera of a kiosk. `trouble` is called with a sentence when it fails, and with null when it is well again.
 */
export class Device {
  /**
   * @param {HTMLVideoElement} video
   * @param {(problem: string | null) => void} trouble
   * @param {"user" | "environment"} [facing] Where the camera looks, if none was chosen.
   */
  constructor(video, trouble, facing = "user") {
    this.video = video;
    this.facing = facing;
    this.trouble = trouble;
    this.eye = new Eye(video);
    /** @type {import("./eye.js").Seen | null} */
    this.seen = null;
    this.opening = false;
    /** @type {string | null} */
    this.problem = null;
    /** The problem in one word, for the console. */
    this.named = "";
    this.seenAt = 0;
    this.lastLook = 0;
    this.lightAt = 0;
    this.blackSince = 0;
    /** Whether somebody is to be seen now. */
    this.looking = false;
    /** Whether the camera stood still before and was started anew. */
    this.restarted = false;
    this.listeners = new Set();
    this.stopped = false;
    this.ending = new AbortController();
    /** @type {number | undefined} */
    this.ticking = undefined;
  }

  get track() {
    return /** @type {MediaStream | null} */ (this.video.srcObject)?.getVideoTracks()[0] ?? null;
  }

  /** In one word, for the console. */
  get state() {
    if (this.problem !== null) return this.named;
    return this.seen === null ? "no_picture" : "ok";
  }

  async start() {
    this.ticking = setInterval(() => this.look(), LOOK_MS);
    const { signal } = this.ending;
    navigator.mediaDevices?.addEventListener?.("devicechange", () => this.changed(), { signal });
    document.addEventListener("visibilitychange", () => {
      this.eye.forget();
      if (document.visibilityState === "visible") stayAwake();
    }, { signal });
    stayAwake();
    await this.open();
  }

  /** Let go of the camera and the screen for good. */
  stop() {
    this.stopped = true;
    this.ending.abort();
    mayFallAsleep();
    clearInterval(this.ticking);
    stopCamera(this.video);
  }

  /** Start the camera; where it is missing or gone say so, and go on by itself once it is there. */
  async open() {
    if (this.opening || this.stopped) return;
    this.opening = true;
    while (!this.stopped) {
      const asking = setTimeout(() => this.say(t("camera.asking"), "asking"), ASKING_MS);
      try {
        stopCamera(this.video);
        await startCamera(this.video, () => this.open(), settings.camera, this.facing);
        break;
      } catch (error) {
        clearTimeout(asking);
        this.say(error.message, error.named);
        await (error.named === "touch" ? touch() : wait(RETRY_MS));
      } finally {
        clearTimeout(asking);
      }
    }
    if (this.stopped) {
      stopCamera(this.video);
      return;
    }
    this.eye.forget();
    this.seenAt = this.blackSince = performance.now();
    this.opening = false;
    if (this.facing === "user") mirror(this.video);
    // Of a camera that stood still, only a picture that moves is proof.
    if (!this.restarted) this.say(null);
  }

  /** A camera came or went: the chosen one may be there again. */
  async changed() {
    if (this.opening || !settings.camera) return;
    const there = await navigator.mediaDevices.enumerateDevices();
    const inUse = this.track?.getSettings().deviceId;
    if (inUse !== settings.camera && there.some((one) => one.deviceId === settings.camera)) await this.open();
  }

  look() {
    if (this.opening || document.visibilityState === "hidden") return;
    const now = performance.now();
    // A tablet that slept, or a page that was held: what was before says nothing of now.
    if (now - this.lastLook > 2000) {
      this.eye.forget();
      this.seenAt = this.blackSince = now;
    }
    this.lastLook = now;
    this.seen = this.eye.look();
    if (this.seen !== null) this.seenAt = now;
    if (!this.seen?.black) this.blackSince = now;
    this.light(now);
    const fault = this.fault(now);
    if (fault === null && this.seen !== null && (this.seen.moves || !this.restarted)) {
      this.restarted = false;
      this.say(null);
    }
    if (fault !== null) this.say(t(fault), fault.slice("camera.".length));
    if (fault === "camera.frozen" || fault === "camera.ended" || fault === "camera.no_picture") this.restart();
    for (const tell of this.listeners) tell(this.seen);
  }

  /** Which text says what is wrong with the camera; null where nothing is. */
  fault(now) {
    const { track } = this;
    if (track === null || track.readyState === "ended") return "camera.ended";
    if (track.muted) return "camera.muted";
    if (now - this.seenAt > FROZEN_MS) return "camera.no_picture";
    if (now - this.blackSince > BLACK_MS) return "camera.black";
    return this.seen !== null && this.seen.stillMs > FROZEN_MS ? "camera.frozen" : null;
  }

  restart() {
    this.restarted = true;
    this.open();
  }

  /** @param {string | null} problem @param {string} [named] */
  say(problem, named = "") {
    this.named = named;
    if (problem === this.problem) return;
    this.problem = problem;
    this.trouble(problem);
  }

  /** White around the face while somebody is looked at in a dark room; the torch, where the camera has one. */
  light(now) {
    const body = document.body.classList;
    const dark = this.seen !== null && this.seen.light < (body.contains("lit") ? BRIGHT : DARK);
    const wanted = this.looking && (settings.light === "on" || (settings.light === "auto" && dark));
    // At most once in two seconds: light that answers to itself would flicker.
    if (Boolean(wanted) === body.contains("lit") || (this.looking && now - this.lightAt < 2000)) return;
    this.lightAt = now;
    body.toggle("lit", Boolean(wanted));
    const can = /** @type {any} */ (this.track?.getCapabilities?.() ?? {});
    if (can.torch) this.track?.applyConstraints(/** @type {any} */ ({ advanced: [{ torch: Boolean(wanted) }] })).catch(() => {});
  }
}

/** Show the picture as a mirror does, or as the camera sees it. */
export function mirror(video) {
  video.classList.toggle("mirrored", settings.mirror);
}

const touch = () => new Promise((resolve) => addEventListener("pointerdown", resolve, { once: true }));

/** What keeps the screen on; null where nothing does. @type {any} */
let awake = null;
let isWanted = false;

/** Keep the screen on; the browser lets go of it when the page is hidden, and whenever it likes. */
export async function stayAwake() {
  isWanted = true;
  if (awake && !awake.released) return;
  try {
    awake = await /** @type {any} */ (navigator).wakeLock?.request("screen");
    awake?.addEventListener?.("release", regain, { once: true });
  } catch {
    // Low battery, or not allowed: the self-test says so.
    awake = null;
  }
}

async function regain() {
  await wait(REGAIN_MS);
  if (isWanted && document.visibilityState === "visible") await stayAwake();
}

/** Let the screen turn off as it would. */
function mayFallAsleep() {
  isWanted = false;
  awake?.release?.()?.catch?.(() => {});
  awake = null;
}

/** Every camera of the tablet; names are known only once one was allowed. */
export async function cameras() {
  const found = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
  return found.filter((one) => one.kind === "videoinput");
}
