// A small copy of a picture, and how far two of them differ.

/** A canvas that part of a video is read through. */
export class Glance {
  /**
   * @param {number} width
   * @param {number} height
   */
  constructor(width, height) {
    const canvas = document.createElement("canvas");
    canvas.width = width;
    canvas.height = height;
    this.width = width;
    this.height = height;
    this.pen = canvas.getContext("2d", { willReadFrequently: true });
  }

  read(video, x, y, width, height) {
    if (this.pen === null) return null;
    this.pen.drawImage(video, x, y, width, height, 0, 0, this.width, this.height);
    return this.pen.getImageData(0, 0, this.width, this.height).data;
  }
}

/** Share of pixels whose green differs by more than `least`. */
export function changed(before, now, least) {
  let count = 0;
  for (let at = 1; at < now.length; at += 4) if (Math.abs(now[at] - before[at]) > least) count += 1;
  return count / (now.length / 4);
}
