// The camera: a preview, and frames from it as JPEG.

import { t, wait } from "./page.js";

const FRAME_SIDE = 640;
const FIRST_FRAME_MS = 5000;
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

/** The present frame as a JPEG, at most `side` pixels long. Throws where the camera has no picture yet. */
export async function frame(video, side = FRAME_SIDE, quality = 0.88) {
  for (const until = performance.now() + FIRST_FRAME_MS; !video.videoWidth && performance.now() < until; ) await wait(100);
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
