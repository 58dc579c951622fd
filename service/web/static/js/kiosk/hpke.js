// Seals what only the server can open: HPKE (RFC 9180), base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256,
// AES-256-GCM, with what every browser has. The other side is `service/exams/offline/sealing.py`.

/** A text in UTF-8. */
export const bytes = (text) => new TextEncoder().encode(text);
const KEM = new Uint8Array([...bytes("KEM"), 0, 0x10]);
const SUITE = new Uint8Array([...bytes("HPKE"), 0, 0x10, 0, 1, 0, 2]);
const NOTHING = new Uint8Array();
const CURVE = { name: "ECDH", namedCurve: "P-256" };

export function joined(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

async function hmac(key, data) {
  // A key of no bytes is one of zeros (RFC 5869, 2.2).
  const used = await crypto.subtle.importKey("raw", key.length ? key : new Uint8Array(32), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", used, data));
}

/** LabeledExtract of section 4. */
const extract = (suite, salt, label, secret) => hmac(salt, joined(bytes("HPKE-v1"), suite, bytes(label), secret));

/** LabeledExpand of section 4, for at most 32 bytes. */
async function expand(suite, key, label, info, length) {
  const labelled = joined(new Uint8Array([0, length]), bytes("HPKE-v1"), suite, bytes(label), info);
  return (await hmac(key, joined(labelled, new Uint8Array([1])))).slice(0, length);
}

/**
 * The encapsulated key and the ciphertext.
 *
 * @param {Uint8Array<ArrayBuffer>} publicKey An uncompressed point.
 * @param {Uint8Array<ArrayBuffer>} info What the text is bound to.
 * @param {Uint8Array<ArrayBuffer>} text
 */
export async function seal(publicKey, info, text) {
  const receiver = await crypto.subtle.importKey("raw", publicKey, CURVE, false, []);
  const own = /** @type {CryptoKeyPair} */ (await crypto.subtle.generateKey(CURVE, false, ["deriveBits"]));
  const shared = new Uint8Array(await crypto.subtle.deriveBits({ name: "ECDH", public: receiver }, own.privateKey, 256));
  const capsule = new Uint8Array(await crypto.subtle.exportKey("raw", own.publicKey));
  const agreed = await extract(KEM, NOTHING, "eae_prk", shared);
  const secret = await expand(KEM, agreed, "shared_secret", joined(capsule, publicKey), 32);
  const context = joined(new Uint8Array([0]), await extract(SUITE, NOTHING, "psk_id_hash", NOTHING), await extract(SUITE, NOTHING, "info_hash", info));
  const schedule = await extract(SUITE, secret, "secret", NOTHING);
  const key = await crypto.subtle.importKey("raw", await expand(SUITE, schedule, "key", context, 32), "AES-GCM", false, ["encrypt"]);
  const iv = await expand(SUITE, schedule, "base_nonce", context, 12);
  return joined(capsule, new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, text)));
}
