// The camera: a preview, and frames from it as JPEG. A frame is always newer than the moment it was asked for.

import { changed, Glance } from "./glance.js";
import { t, wait } from "./page.js";

const FRAME_SIDE = 640;
const LONGEST_FRAME_MS = 5000;
const GLANCE_MS = 40;
const CAMERA_FAULTS = {
  NotAllowedError: "camera.denied",
  SecurityError: "camera.denied",
  NotReadableError: "camera.busy",
  AbortError: "camera.busy",
};
/** The camera that was asked for is not there. */
const ABSENT = ["OverconstrainedError", "NotFoundError"];

/** The browser plays nothing before somebody has touched the page. */
export class TouchNeeded extends Error {}

/**
 * Start the camera in a video element. Throws an Error whose message is meant for the person in front of it.
 * `gone` is called once when the camera ends by itself: unplugged, or taken by another program. Where the
 * camera `wanted` is not there, another is better than none.
 *
 * @param {any} video
 * @param {() => void} gone
 * @param {string} [wanted] The id of a camera.
 * @param {"user" | "environment"} [facing] Which one where none is wanted: of a tablet, the front or the back.
 */
export async function startCamera(video, gone = () => {}, wanted = "", facing = "user") {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error(t("camera.insecure"));
  const which = wanted ? { deviceId: { exact: wanted } } : { facingMode: facing };
  try {
    const wish = { video: { width: { ideal: 1280 }, height: { ideal: 720 }, ...which }, audio: false };
    video.srcObject = await navigator.mediaDevices.getUserMedia(wish);
  } catch (error) {
    if (wanted && ABSENT.includes(error.name)) return startCamera(video, gone, "", facing);
    throw new Error(t(CAMERA_FAULTS[error.name] ?? "camera.missing"), { cause: error });
  }
  for (const track of video.srcObject.getVideoTracks()) track.addEventListener("ended", gone, { once: true });
  try {
    await video.play();
  } catch (error) {
    throw error.name === "NotAllowedError" ? new TouchNeeded(t("camera.touch")) : new Error(t("camera.busy"), { cause: error });
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
