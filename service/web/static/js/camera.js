// The camera: a preview, and frames from it as JPEG. A frame is always newer than the moment it was asked for.

import { changed, Glance } from "./glance.js";
import { t, wait } from "./page.js";

const FRAME_SIDE = 640;
const LONGEST_FRAME_MS = 5000;
const GLANCE_MS = 40;
const SIZE = { width: { ideal: 1280 }, height: { ideal: 720 } };
/** What browsers call the faults of a camera, and what we call them. */
const FAULTS = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotReadableError: "busy",
  AbortError: "busy",
  NotFoundError: "missing",
  OverconstrainedError: "unsuitable",
};
/** The camera that was asked for is not there; another may be. */
const ABSENT = ["OverconstrainedError", "NotFoundError"];

/** Why there is no camera: `named` in one word, and as its message what to do about it. */
export class CameraFault extends Error {
  /** @param {string} named @param {any} [cause] */
  constructor(named, cause) {
    super(t(named === "unsupported" ? "kiosk.old_browser" : `camera.${named}`), { cause });
    this.named = named;
  }
}

/**
 * Start the camera in a video element. Throws CameraFault; a fault named "touch" means that the browser plays nothing
 * before somebody has touched the page. `gone` is called once when the camera ends by itself: unplugged, or taken by
 * another program. Where the camera `wanted` is not there, another is better than none.
 *
 * @param {any} video
 * @param {() => void} gone
 * @param {string} [wanted] The id of a camera.
 * @param {"user" | "environment"} [facing] Which one where none is wanted: of a tablet, the front or the back.
 */
export async function startCamera(video, gone = () => {}, wanted = "", facing = "user") {
  if (!navigator.mediaDevices?.getUserMedia) throw new CameraFault(window.isSecureContext ? "unsupported" : "insecure");
  const chosen = wanted ? [{ ...SIZE, deviceId: { exact: wanted } }] : [];
  video.srcObject = await firstOf(...chosen, { ...SIZE, facingMode: facing }, true);
  for (const track of video.srcObject.getVideoTracks()) track.addEventListener("ended", gone, { once: true });
  try {
    await video.play();
  } catch (error) {
    throw new CameraFault(error.name === "NotAllowedError" ? "touch" : "no_picture", error);
  }
}

/** The first camera that there is of several wishes. Throws CameraFault. */
async function firstOf(wish, ...others) {
  try {
    return await navigator.mediaDevices.getUserMedia({ video: wish, audio: false });
  } catch (error) {
    if (others.length && ABSENT.includes(error.name)) return firstOf(...others);
    throw new CameraFault(FAULTS[error.name] ?? "no_picture", error);
  }
}

/** Let go of the camera. */
export function stopCamera(video) {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}

// One for all frames: some tablets give no more than a few, and keep what is dropped.
const sheet = document.createElement("canvas");

const glance = new Glance(96, 72);

/** What the video shows; null where there is no picture. */
const shownBy = (video) => (video.videoWidth ? glance.read(video, 0, 0, video.videoWidth, video.videoHeight) : null);

/**
 * Wait for a picture that the camera had not delivered when this was called; false where none comes. A camera that
 * hangs shows its last picture on, or delivers it again and again: whoever was on it may have left. No two pictures
 * of a camera that works are the same, for there is noise in each.
 */
export async function nextPicture(video) {
  const before = shownBy(video);
  for (const until = performance.now() + LONGEST_FRAME_MS; performance.now() < until; await wait(GLANCE_MS)) {
    const now = shownBy(video);
    if (now !== null && (before === null || changed(before, now, 0) > 0)) return true;
  }
  return false;
}

/** The next frame as a JPEG, at most `side` pixels long. Throws where the camera gives no new picture. */
export async function frame(video, side = FRAME_SIDE, quality = 0.88) {
  if (!(await nextPicture(video))) throw new Error(t(video.videoWidth ? "camera.frozen" : "camera.no_picture"));
  const scale = Math.min(1, side / Math.max(video.videoWidth, video.videoHeight));
  const pen = video.videoWidth ? sheet.getContext("2d") : null;
  if (pen === null) throw new Error(t("camera.no_picture"));
  sheet.width = Math.round(video.videoWidth * scale);
  sheet.height = Math.round(video.videoHeight * scale);
  pen.drawImage(video, 0, 0, sheet.width, sheet.height);
  const picture = await new Promise((resolve) => sheet.toBlob(resolve, "image/jpeg", quality));
  if (picture === null) throw new Error(t("camera.no_picture"));
  return picture;
}

/** One sentence that tells the person what to do, from a quality report. */
export function guidance(report) {
  const [first] = report.reasons;
  return first === undefined ? t("guide.hold_still") : t(`guide.${first}`);
}
