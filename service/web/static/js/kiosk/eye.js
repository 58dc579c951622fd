// What the page itself sees in the camera's picture, ten times a second: light, sharpness, motion. Nothing leaves it.

import { changed, Glance } from "../glance.js";

const WIDE = 96;
const HIGH = 72;
/** Side of the piece in the middle that is looked at in full detail. */
const DETAIL = 128;
const BLACK = 14;
/** A pixel that has changed by more is motion and not noise. */
const NOISE = 12;

/**
 * @typedef {object} Seen
 * @property {number} light Mean brightness of the middle, 0 to 1.
 * @property {boolean} black Whether there is no light anywhere: a cover on the lens, or a camera that fails.
 * @property {number} motion Share of pixels that have changed since the last look.
 * @property {number} sharpness Fine detail as a share of contrast; for comparing frames of one scene.
 * @property {boolean} moves Whether any pixel has changed since the eye began.
 * @property {number} stillMs For how long not one pixel has changed: no camera is so still.
 */

export class Eye {
  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.video = video;
    this.small = new Glance(WIDE, HIGH);
    this.detail = new Glance(DETAIL, DETAIL);
    this.forget();
  }

  /** After a pause nothing is known of what was before. */
  forget() {
    /** @type {Uint8ClampedArray | null} */
    this.before = null;
    this.changedAt = performance.now();
    this.moves = false;
  }

  /** @returns {Seen | null} Null where there is no picture. */
  look() {
    const { videoWidth: width, videoHeight: height } = this.video;
    if (!width || this.video.readyState < 2) return null;
    const now = this.small.read(this.video, 0, 0, width, height);
    const piece = Math.min(DETAIL, width, height);
    const fine = this.detail.read(this.video, (width - piece) / 2, (height - piece) / 2, piece, piece);
    if (now === null || fine === null) return null;
    const motion = this.before === null ? 0 : changed(this.before, now, NOISE);
    if (this.before !== null && changed(this.before, now, 0) > 0) {
      this.changedAt = performance.now();
      this.moves = true;
    }
    this.before = now;
    return {
      light: mean(now, (x, y) => x > WIDE / 4 && x < (3 * WIDE) / 4 && y > HIGH / 8) / 255,
      black: now.every((value, at) => at % 4 === 3 || value <= BLACK),
      motion,
      moves: this.moves,
      sharpness: sharpness(fine),
      stillMs: performance.now() - this.changedAt,
    };
  }
}

const grey = (data, at) => 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];

function mean(data, inside) {
  let sum = 0;
  let count = 0;
  for (let y = 0; y < HIGH; y += 1) {
    for (let x = 0; x < WIDE; x += 1) {
      if (!inside(x, y)) continue;
      sum += grey(data, 4 * (y * WIDE + x));
      count += 1;
    }
  }
  return sum / count;
}

/** Energy of the second derivative over the variance, of the detail. */
function sharpness(data) {
  let fine = 0;
  let sum = 0;
  let squares = 0;
  let count = 0;
  for (let y = 1; y < DETAIL - 1; y += 1) {
    for (let x = 1; x < DETAIL - 1; x += 1) {
      const at = 4 * (y * DETAIL + x) + 1;
      const value = data[at];
      const curve = 4 * value - data[at - 4] - data[at + 4] - data[at - 4 * DETAIL] - data[at + 4 * DETAIL];
      fine += curve * curve;
      sum += value;
      squares += value * value;
      count += 1;
    }
  }
  const variance = squares / count - (sum / count) ** 2;
  return fine / count / (variance + 1);
}
