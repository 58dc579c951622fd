// A ZIP file, read piece by piece in the browser: no picture lies on a disk of the service, and what a file claims of
// itself is believed nowhere. (PKWARE APPNOTE 6.3.10, sections 4.3 and 4.4.)

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;
const LONGEST_COMMENT = 65535;
const ENTRY_BYTES = 46;
const LOCAL_BYTES = 30;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;
const UTF8 = 1 << 11;
const UNIX = 3;
const MAC = 19;
const KIND = 0o170000;
const LINK = 0o120000;
const FOLDER = 0o040000;
const PLAIN_FILE = 0o100000;

/** Bounds of what is read: of the whole file, of its list of contents, of one picture, and how much it may grow. */
export const LIMITS = {
  bytes: 2 ** 31,
  directory: 16 * 1024 * 1024,
  entries: 20000,
  picture: 64 * 1024 * 1024,
  ratio: 200,
  depth: 32,
  name: 1024,
};

/** A file that is refused as a whole; `code` says why. */
export class ArchiveRefused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

// What systems put beside the files of people; nobody means to enrol it.
const BESIDE = /^(?:__MACOSX|\.(?!\.?$).*|Thumbs\.db|desktop\.ini)$/i;
export const isBeside = (path) => path.split("/").some((part) => BESIDE.test(part));

/**
 * What is in a ZIP file: files that can be read, and what is passed over, each with a code.
 * @param {Blob} file
 * @returns {Promise<{files: {name: string, size: number, read: () => Promise<Blob>}[], skipped: {name: string, code: string}[]}>}
 */
export async function readArchive(file, limits = LIMITS) {
  if (file.size > limits.bytes) throw new ArchiveRefused("archive_too_large");
  const entries = await list(file, limits);
  const files = [];
  const skipped = [];
  const seen = new Set();
  let end = 0;
  for (const entry of [...entries].sort((a, b) => a.offset - b.offset)) {
    // One piece of data under many names makes a bomb of a small file.
    if (!entry.isFolder && entry.offset < end) throw new ArchiveRefused("archive_overlapping");
    end = Math.max(end, entry.offset + LOCAL_BYTES + entry.packed);
  }
  for (const entry of entries) {
    if (entry.isFolder || isBeside(entry.name)) continue;
    const key = entry.name.normalize("NFC");
    const code = seen.has(key) ? "duplicate_name" : refusalOf(entry, limits);
    seen.add(key);
    if (code) skipped.push({ name: entry.name, code });
    else files.push({ name: key, size: entry.size, read: () => unpack(file, entry) });
  }
  return { files, skipped };
}

async function list(file, limits) {
  const tail = new DataView(await file.slice(Math.max(0, file.size - END_BYTES - LONGEST_COMMENT)).arrayBuffer());
  let at = tail.byteLength - END_BYTES;
  while (at >= 0 && !(tail.getUint32(at, true) === END && at + END_BYTES + tail.getUint16(at + 20, true) === tail.byteLength)) at -= 1;
  if (at < 0) throw new ArchiveRefused("archive_unreadable");
  const count = tail.getUint16(at + 10, true);
  const size = tail.getUint32(at + 12, true);
  const start = tail.getUint32(at + 16, true);
  // ZIP64, and archives in several parts: larger than anybody's photographs here.
  if (count === 0xffff || size === 0xffffffff || start === 0xffffffff) throw new ArchiveRefused("archive_too_large");
  if (count > limits.entries || size > limits.directory) throw new ArchiveRefused("archive_too_many");
  if (start + size > file.size) throw new ArchiveRefused("archive_unreadable");
  const view = new DataView(await file.slice(start, start + size).arrayBuffer());
  const entries = [];
  for (let place = 0; entries.length < count; ) {
    if (place + ENTRY_BYTES > size || view.getUint32(place, true) !== ENTRY) throw new ArchiveRefused("archive_unreadable");
    const [nameLength, extra, comment] = [28, 30, 32].map((one) => view.getUint16(place + one, true));
    if (place + ENTRY_BYTES + nameLength > size) throw new ArchiveRefused("archive_unreadable");
    entries.push(entryOf(view, place, nameLength));
    place += ENTRY_BYTES + nameLength + extra + comment;
  }
  return entries;
}

function entryOf(view, place, nameLength) {
  const flags = view.getUint16(place + 8, true);
  const bytes = new Uint8Array(view.buffer, view.byteOffset + place + ENTRY_BYTES, nameLength);
  const name = nameOf(bytes, Boolean(flags & UTF8)).replaceAll("\\", "/");
  const system = view.getUint8(place + 5);
  const mode = system === UNIX || system === MAC ? (view.getUint16(place + 40, true) & KIND) : 0;
  return {
    name, flags, mode,
    method: view.getUint16(place + 10, true),
    crc: view.getUint32(place + 16, true),
    packed: view.getUint32(place + 20, true),
    size: view.getUint32(place + 24, true),
    offset: view.getUint32(place + 42, true),
    isFolder: name.endsWith("/") || mode === FOLDER,
  };
}

// Above 127 the first IBM PC's letters, which Windows writes; macOS writes UTF-8 and does not say so.
const CP437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

/** A name as it was meant: UTF-8 where it is that, the IBM PC's letters where not. */
export function nameOf(bytes, isUtf8) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    if (isUtf8) return new TextDecoder().decode(bytes);
  }
  return Array.from(bytes, (one) => (one < 128 ? String.fromCharCode(one) : CP437[one - 128])).join("");
}

/** Why an entry is not read; nothing where it is. */
function refusalOf(entry, limits) {
  const parts = entry.name.split("/");
  if (entry.flags & ENCRYPTED) return "encrypted";
  if (entry.mode === LINK || (entry.mode && entry.mode !== PLAIN_FILE)) return "not_a_file";
  // Nothing is written by these names; who writes one means no good all the same.
  const isOdd = parts.includes("..") || parts[0] === "" || /^[A-Za-z]:$/.test(parts[0]) || /\p{Cc}/u.test(entry.name);
  if (isOdd || parts.length > limits.depth || entry.name.length > limits.name) return "unsafe_name";
  if (entry.method !== STORED && entry.method !== DEFLATED) return "unknown_compression";
  if (entry.size > limits.picture) return "image_too_large";
  if (entry.size > limits.ratio * Math.max(entry.packed, 1024)) return "grows_too_much";
  return null;
}

/** The bytes of an entry, never more than it promised; throws ArchiveRefused with the code of what is wrong. */
async function unpack(file, entry) {
  const head = new DataView(await file.slice(entry.offset, entry.offset + LOCAL_BYTES).arrayBuffer());
  if (head.byteLength < LOCAL_BYTES || head.getUint32(0, true) !== LOCAL) throw new ArchiveRefused("entry_damaged");
  const start = entry.offset + LOCAL_BYTES + head.getUint16(26, true) + head.getUint16(28, true);
  const packed = file.slice(start, start + entry.packed);
  const stream = entry.method === DEFLATED ? packed.stream().pipeThrough(new DecompressionStream("deflate-raw")) : packed.stream();
  const reader = stream.getReader();
  const chunks = [];
  let length = 0;
  let crc = ~0;
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      length += next.value.length;
      if (length > entry.size) throw new ArchiveRefused("grows_too_much");
      crc = crcOf(crc, next.value);
      chunks.push(next.value);
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error instanceof ArchiveRefused ? error : new ArchiveRefused("entry_damaged");
  }
  if (length !== entry.size || (~crc >>> 0) !== entry.crc) throw new ArchiveRefused("entry_damaged");
  return new Blob(chunks);
}

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

function crcOf(before, bytes) {
  let crc = before;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC[(crc ^ byte) & 255];
  return crc;
}
