// The moments before a picture, small: how they moved tells the server a head from a picture of one.

const SIDE = 320;
const FRAMES = 8;
const EACH_MS = 180;
const QUALITY = 0.85;

export class Reel {
  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.video = video;
    this.sheet = document.createElement("canvas");
    this.takenAt = -Infinity;
    /** @type {Promise<Blob | null>[]} */
    this.taken = [];
  }

  /** Take a frame, unless one was taken just now. */
  take() {
    const { videoWidth: width, videoHeight: height } = this.video;
    const now = performance.now();
    if (!width || now - this.takenAt < EACH_MS) return;
    const scale = Math.min(1, SIDE / Math.max(width, height));
    const size = { width: Math.round(width * scale), height: Math.round(height * scale) };
    // A tablet that was turned begins anew: all frames have one size.
    if (size.width !== this.sheet.width || size.height !== this.sheet.height) {
      Object.assign(this.sheet, size);
      this.taken = [];
    }
    const pen = this.sheet.getContext("2d");
    if (pen === null) return;
    this.takenAt = now;
    pen.drawImage(this.video, 0, 0, size.width, size.height);
    const frame = new Promise((resolve) => this.sheet.toBlob(resolve, "image/jpeg", QUALITY));
    this.taken = [...this.taken, frame].slice(-FRAMES);
  }

  /** The last frames in their order; none where there are too few to show motion. @returns {Promise<Blob[]>} */
  async frames() {
    const found = (await Promise.all(this.taken)).filter((frame) => frame !== null);
    return found.length > 1 ? found : [];
  }
}
