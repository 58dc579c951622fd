// The code on a card: read by the browser where it can, else by the server; only what is inside the rectangle is sent.

import { nextPicture } from "../camera.js";
import { call, Offline, t, wait } from "../page.js";

/** What goes to the server at most, in pixels: grey, and of the rectangle alone. */
const WIDE = 480;
const HIGH = 240;
const LOOK_MS = 120;
const ASK_MS = 500;
const LONGEST_MS = 20000;
const FORMATS = ["qr_code", "code_39", "code_128", "code_93", "codabar", "itf", "ean_13", "ean_8", "data_matrix", "aztec", "pdf417"];

const sheet = document.createElement("canvas");
sheet.width = WIDE;
sheet.height = HIGH;

/**
 * The text of a code that is held into the rectangle; null where none was, or the scan was given up.
 *
 * @param {HTMLVideoElement} video
 * @param {HTMLElement} marked The rectangle on the screen.
 * @param {() => boolean} wanted
 * @param {(text: string) => void} say
 */
export async function scan(video, marked, wanted, say) {
  const detector = await ownDetector();
  const until = performance.now() + LONGEST_MS;
  say(t("scan.hold"));
  while (wanted() && performance.now() < until) {
    const began = performance.now();
    // A card that was held there before may be another candidate's.
    if ((await nextPicture(video)) && wanted() && cut(video, marked)) {
      try {
        const [text] = detector ? await detect(detector) : await ask();
        say(t("scan.hold"));
        if (text) return text;
      } catch (error) {
        say(t(error instanceof Offline ? "scan.offline" : "scan.fails"));
      }
    }
    await wait(Math.max(0, (detector ? LOOK_MS : ASK_MS) - (performance.now() - began)));
  }
  return null;
}

/** The browser's own detector, where it knows the codes of cards. */
async function ownDetector() {
  const Detector = /** @type {any} */ (window).BarcodeDetector;
  try {
    const known = (await Detector?.getSupportedFormats()) ?? [];
    const formats = FORMATS.filter((format) => known.includes(format));
    return ["qr_code", "code_39", "code_128"].every((format) => formats.includes(format)) ? new Detector({ formats }) : null;
  } catch {
    return null;
  }
}

const detect = async (detector) => (await detector.detect(sheet)).map(({ rawValue }) => rawValue);

async function ask() {
  const form = new FormData();
  form.append("image", await new Promise((resolve) => sheet.toBlob(resolve, "image/png")), "code.png");
  return (await call("POST", "/v1/scan", { form, timeout: 5000 })).codes.map(({ text }) => text);
}

/** Draw what is inside the marked rectangle, in grey; false where there is no picture. */
function cut(video, marked) {
  const { videoWidth, videoHeight } = video;
  const pen = videoWidth ? sheet.getContext("2d", { willReadFrequently: true }) : null;
  if (pen === null) return false;
  const shown = video.getBoundingClientRect();
  // The picture covers its place: what does not fit is cut off at both sides alike, as the rectangle is in the middle.
  const scale = Math.max(shown.width / videoWidth, shown.height / videoHeight);
  const frame = marked.getBoundingClientRect();
  const [wide, high] = [frame.width / scale, frame.height / scale];
  pen.drawImage(video, (videoWidth - wide) / 2, (videoHeight - high) / 2, wide, high, 0, 0, WIDE, HIGH);
  const picture = pen.getImageData(0, 0, WIDE, HIGH);
  const { data } = picture;
  for (let at = 0; at < data.length; at += 4) data[at] = data[at + 1] = data[at + 2] = 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
  pen.putImageData(picture, 0, 0);
  return true;
}
