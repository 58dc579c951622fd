// The camera: a preview, and frames from it as JPEG.

import { t } from "./page.js";

const FRAME_SIDE = 640;
const CAMERA_FAULTS = {
  NotAllowedError: "camera.denied",
  SecurityError: "camera.denied",
  NotReadableError: "camera.busy",
  AbortError: "camera.busy",
};

/**
 * Start the camera in a video element. Throws an Error whose message is meant for the person in front of it.
 * `gone` is called once when the camera ends by itself: unplugged, or taken by another program.
 */
export async function startCamera(video, gone = () => {}) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error(t("camera.insecure"));
  const wish = { video: { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: "user" }, audio: false };
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia(wish);
  } catch (error) {
    throw new Error(t(CAMERA_FAULTS[error.name] ?? "camera.missing"), { cause: error });
  }
  for (const track of video.srcObject.getVideoTracks()) track.addEventListener("ended", gone, { once: true });
  await video.play();
}

/** Let go of the camera. */
export function stopCamera(video) {
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  video.srcObject = null;
}

/** The present frame as a JPEG, at most `side` pixels long. */
export async function frame(video, side = FRAME_SIDE, quality = 0.88) {
  const scale = Math.min(1, side / Math.max(video.videoWidth, video.videoHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
}

/** One sentence that tells the person what to do, from a quality report. */
export function guidance(report) {
  const [first] = report.reasons;
  return first === undefined ? t("guide.hold_still") : t(`guide.${first}`);
}
