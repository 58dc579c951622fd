// Which photos show whom: a folder, a ZIP, or a list beside pictures, as the command line reads them.

import { call } from "./page.js";
import { isBeside, readArchive } from "./archive.js";

/**
 * @typedef {{name: string, read: () => Promise<Blob>}} Found A file, by its path.
 * @typedef {{external_id: string, display_name: string | null, name: string, read: () => Promise<Blob>}} Photo
 * @typedef {{external_id?: string, name: string, code: string}} Skipped
 */

const LIST = /\.(?:csv|xlsx)$/i;
const ARCHIVE = /\.zip$/i;

/**
 * The photos of what somebody has chosen. Throws ArchiveRefused, or a Problem of a list that cannot be read.
 * @param {File[]} chosen
 * @returns {Promise<{photos: Photo[], skipped: Skipped[]}>}
 */
export async function readPhotos(chosen) {
  const found = [];
  const skipped = [];
  for (const file of chosen) {
    const name = (file.webkitRelativePath || file.name).normalize("NFC");
    if (ARCHIVE.test(name)) {
      const inside = await readArchive(file);
      found.push(...inside.files);
      skipped.push(...inside.skipped);
    // The chosen folder itself may have any name.
    } else if (!isBeside(name.split("/").slice(file.webkitRelativePath ? 1 : 0).join("/"))) found.push({ name, read: async () => file });
  }
  const lists = found.filter((one) => LIST.test(one.name));
  const pictures = found.filter((one) => !LIST.test(one.name));
  const read = lists.length ? await byList(lists, pictures) : byFolder(pictures);
  return { photos: read.photos, skipped: [...skipped, ...read.skipped] };
}

/** The person is the folder; a folder around all people's folders does not count. @param {Found[]} files */
function byFolder(files) {
  const paths = files.map((one) => one.name.split("/"));
  const isAround = () => paths.some((path) => path.length > 2) && paths.every((path) => path.length > 1 && path[0] === paths[0][0]);
  while (isAround()) for (const path of paths) path.shift();
  const photos = [];
  const skipped = [];
  files.forEach((file, n) => {
    if (paths[n].length < 2) skipped.push({ name: file.name, code: "no_person" });
    else photos.push({ external_id: paths[n][0], display_name: null, name: file.name, read: file.read });
  });
  return { photos, skipped };
}

/** Each line names a person and a picture, seen from the list. @param {Found[]} lists @param {Found[]} pictures */
async function byList(lists, pictures) {
  const byName = new Map(pictures.map((one) => [one.name.toLowerCase(), one]));
  const photos = [];
  const skipped = [];
  const used = new Set();
  for (const list of lists) {
    const place = list.name.includes("/") ? list.name.slice(0, list.name.lastIndexOf("/") + 1) : "";
    const { items } = await call("POST", "/v1/enrolments/list", { text: /** @type {any} */ (await list.read()), type: "text/csv", timeout: 60000 });
    for (const row of items) {
      const path = `${place}${row.path.replaceAll("\\", "/").replace(/^\.\//, "")}`.normalize("NFC").toLowerCase();
      const file = byName.get(path) ?? byName.get(path.split("/").at(-1));
      if (file) photos.push({ external_id: row.external_id, display_name: row.display_name, name: row.path, read: file.read });
      else skipped.push({ external_id: row.external_id, name: row.path, code: "picture_missing" });
      if (file) used.add(file.name);
    }
  }
  for (const one of pictures) if (!used.has(one.name)) skipped.push({ name: one.name, code: "not_in_list" });
  return { photos, skipped };
}
