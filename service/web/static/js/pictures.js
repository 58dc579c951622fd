// A picture from a file, made small enough to be sent.

// A telephone's photo is larger than many a proxy lets through, and no face needs all of it.
const SENT_BYTES = 3 * 1024 * 1024;
const SENT_SIDE = 2400;
const QUALITY = 0.92;

/**
 * The file itself, or a smaller JPEG of it where it is large. What this browser cannot show, such as HEIC in most, is
 * sent as it is.
 */
export async function sendable(file) {
  if (file.size <= SENT_BYTES) return file;
  try {
    return (await smaller(file)) ?? file;
  } catch {
    return file;
  }
}

async function smaller(file) {
  const picture = await createImageBitmap(file, { imageOrientation: "from-image" });
  const scale = Math.min(1, SENT_SIDE / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const pen = canvas.getContext("2d");
  if (!pen) return null;
  // JPEG has no transparency; the service lays it on white, too.
  pen.fillStyle = "white";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}
