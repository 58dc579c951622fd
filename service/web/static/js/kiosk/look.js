// Looking at one person: the page judges light, motion and sharpness at once, the server twice a second at most.

import { call, Offline, Problem, t, wait } from "../page.js";
import { frame, guidance } from "../camera.js";

const LOOK_MS = 100;
const ASK_MS = 500;
/** For so long a better moment is waited for before the server is asked about this one. */
const GRACE_MS = 400;
/** The best of so many good pictures goes; or of those there are after so long. */
const GOOD_FRAMES = 3;
const GOOD_MS = 1500;
/** Somebody is there, and no picture of theirs is good: after this the best there is goes, and is `final`. */
const LONGEST_LOOK_MS = 8000;
/** Nobody has come before the camera: the number is dropped. */
export const UNUSED_MS = 20000;
const TOO_DARK = 0.06;
const TOO_BRIGHT = 0.93;
const MOVING = 0.35;
/** More than an empty room ever moves. */
const SOMEBODY_MOVES = 0.004;
/** Without the server the sharpest of so many frames goes. */
const FRAMES_ALONE = 3;

/**
 * The picture to send, and whether it is the last one; null where the look was given up, "nobody" where nobody came.
 *
 * @param {import("./device.js").Device} device
 * @param {() => boolean} wanted Whether the look still goes on.
 * @param {{say: (text: string, good: boolean) => void, offline: (away: boolean) => void, ended: () => void, patient?: boolean, alone?: () => boolean, reel?: import("./reel.js").Reel}} screen `patient`: waits for somebody
 * without an end; `alone`: whether there is no server to ask; `reel`: takes the moments before the picture.
 * @returns {Promise<{picture: Blob, final: boolean} | "nobody" | null>}
 */
export async function look(device, wanted, screen) {
  const began = performance.now();
  const found = new Found();
  const alone = new Alone();
  let somebodyAt = Infinity;
  let asking = false;
  let askedAt = 0;
  let best = 0;
  const ask = async () => {
    try {
      const picture = await frame(device.video);
      askedAt = performance.now();  // From here: the wait for a picture that is new differs.
      found.add(picture, await assess(picture));
      screen.offline(false);
    } catch (error) {
      if (error instanceof Problem && error.status === 401) screen.ended();
      else if (error instanceof Offline) screen.offline(true);
      found.word = error.message;
    }
    asking = false;
  };
  while (wanted()) {
    const now = performance.now();
    const seen = device.seen;
    screen.reel?.take();
    const hint = seen && hintOf(seen);
    best = Math.max(best * 0.99, seen?.sharpness ?? 0);
    // A tablet in somebody's hands always moves: there a face alone is somebody.
    if (somebodyAt === Infinity && (found.hasFace || (!screen.patient && (seen?.motion ?? 0) > SOMEBODY_MOVES))) somebodyAt = now;
    if (screen.alone?.() && seen !== null && hint === null && somebodyAt < Infinity && now - askedAt >= ASK_MS) {
      askedAt = now;
      await alone.add(device, seen.sharpness);
      if (alone.count >= FRAMES_ALONE && wanted()) return { picture: alone.picture, final: true };
    }
    const calm = seen !== null && seen.motion < MOVING && seen.sharpness > best / 2;
    if (!asking && !screen.alone?.() && seen !== null && now - askedAt >= ASK_MS && (calm || now - askedAt >= ASK_MS + GRACE_MS)) {
      asking = true;
      askedAt = now;
      ask();
    }
    screen.say(hint ?? found.word ?? t("guide.look"), found.good > 0);
    if (found.good >= GOOD_FRAMES || (found.good && now - found.goodAt >= GOOD_MS)) return { picture: found.best.picture, final: false };
    if (now - somebodyAt >= LONGEST_LOOK_MS && !asking) {
      const picture = found.best?.picture ?? alone.picture ?? (await frame(device.video).catch(() => null));
      // Without a new picture the camera is about to be started again: nothing older is sent.
      if (picture !== null) return { picture, final: true };
    }
    if (somebodyAt === Infinity && !screen.patient && now - began >= UNUSED_MS) return "nobody";
    await wait(LOOK_MS);
  }
  return null;
}

/** What the page itself has to say about a frame; nothing is no fault. */
function hintOf(seen) {
  if (seen.light < TOO_DARK) return t("guide.under_exposed");
  if (seen.light > TOO_BRIGHT) return t("guide.over_exposed");
  return seen.motion > MOVING ? t("guide.moving") : null;
}

/** The pictures that the server has judged. */
class Found {
  constructor() {
    /** @type {{picture: Blob, report: any} | null} */
    this.best = null;
    this.good = 0;
    this.goodAt = 0;
    this.hasFace = false;
    /** @type {string | null} */
    this.word = null;
  }

  add(picture, report) {
    if (this.best === null || better(report, this.best.report)) this.best = { picture, report };
    if (report.acceptable && this.good === 0) this.goodAt = performance.now();
    if (report.acceptable) this.good += 1;
    this.hasFace ||= report.face !== null;
    this.word = guidance(report);
  }
}

/** Pictures that no server has judged: the sharpest one counts. */
class Alone {
  constructor() {
    /** @type {any} */
    this.picture = null;
    this.sharpness = -1;
    this.count = 0;
  }

  async add(device, sharpness) {
    const picture = await frame(device.video).catch(() => null);
    if (picture === null) return;
    this.count += 1;
    if (sharpness > this.sharpness) Object.assign(this, { picture, sharpness });
  }
}

/** What the server says of a picture, by a kiosk's limits. */
export const assess = (image) => {
  const form = new FormData();
  form.append("image", image, "frame.jpg");
  return call("POST", "/v1/quality?for=kiosk", { form, timeout: 5000 });
};

function better(one, other) {
  const [mine, theirs] = [faults(one), faults(other)];
  return mine === theirs ? merit(one) >= merit(other) : mine < theirs;
}

/** How far a picture is from one that can be compared: without one face there is nothing to look at. */
const faults = (report) => (report.face === null ? 100 : 0) + report.reasons.length;

/** The measure that is nearest to its limit decides. */
function merit({ measures, limits }) {
  const share = (name) => measures[name] / limits[`${name}_min`];
  const straight = 2 - Math.abs(measures.head_pose_yaw) / limits.head_pose_yaw_max;
  return Math.min(share("sharpness"), share("inter_eye_distance"), straight) || 0;
}
