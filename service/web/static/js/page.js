// What every page shares: its texts, DOM nodes without HTML strings, and the API with its problems.

const read = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "{}");
const texts = read("strings");

/** What the server told the page: `page`, `csrf`, `session_id`, `scopes`, `name`, `is_operator`. */
export const facts = read("facts");

/** Whether the one who is signed in holds one of these scopes. */
export const may = (...scopes) => scopes.some((scope) => facts.scopes?.includes(scope)) || Boolean(facts.scopes?.includes("admin"));

/** What work at exams is done with. */
export const STAFF = ["exams:write", "override", "audit:read"];

/** The language of the page, as in `<html lang>`. */
export const language = document.documentElement.lang;
const plurals = new Intl.PluralRules(language);

/** A text by its key, with {placeholders} filled in, in the plural that {n} asks for. A missing key shows itself. */
export function t(key, values = {}) {
  const found = texts[key] ?? key;
  const text = typeof found === "string" ? found : (found[plurals.select(Number(values.n))] ?? found.other);
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/** A text by its key, or undefined: for codes that may be new. */
export const textOf = (key) => texts[key];

/**
 * An element: attributes, `on…` listeners and children. Text is always text, never markup.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K | `${K}.${string}`} tag Its name, and classes behind dots.
 * @param {Record<string, any>} attributes
 * @param {...any} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const [, name, classes] = /^(\w+)(.*)$/.exec(tag);
  const node = /** @type {any} */ (document.createElement(name));
  if (classes) node.className = classes.split(".").filter(Boolean).join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** The server's own English, which knows the case, where the page speaks English; else the page's text. */
const spoken = (text, detail) => (language === "en" ? detail ?? text : text ?? detail);

/** An answer that is not 2xx (RFC 9457). */
export class Problem extends Error {
  constructor(status, body) {
    const found = (body.errors ?? []).map((one) => spoken(textOf(`wrong.code.${one.code}`), one.detail)).join(" ");
    super(found || (textOf(`problem.${body.code}`) ?? spoken(textOf(`code.${body.code}`), body.detail) ?? (body.title || `HTTP ${status}`)));
    this.status = status;
    this.code = body.code ?? "internal";
    this.body = body;
  }
}

/** The request may not have arrived: the network or the server is away. */
export class Offline extends Error {}

async function problemOf(response) {
  let body;
  try {
    body = await response.json();
  } catch {
    body = { title: response.statusText };
  }
  return new Problem(response.status, body);
}

/** Aborts after some milliseconds; `AbortSignal.timeout` is younger than tablets that are still in use. */
function endOf(timeout) {
  const ender = new AbortController();
  setTimeout(() => ender.abort(), timeout);
  return ender.signal;
}

/**
 * Call the API as this page.
 * Throws Problem for an answer that is not 2xx, Offline where there was no answer or a proxy answered for it.
 *
 * @param {string} method
 * @param {string} path
 * @param {{json?: any, form?: FormData, text?: string, type?: string, key?: string, timeout?: number, headers?: Record<string, string>}} options
 * @returns {Promise<any>}
 */
export async function call(method, path, { json, form, text, type, key, timeout = 20000, headers: more = {} } = {}) {
  const headers = { "X-Invigil-Page": facts.page, "X-CSRF-Token": facts.csrf ?? "", ...more };
  if (json !== undefined) headers["Content-Type"] = "application/json";
  if (type) headers["Content-Type"] = type;
  if (key) headers["Idempotency-Key"] = key;
  const body = json !== undefined ? JSON.stringify(json) : (form ?? text);
  let response;
  try {
    response = await fetch(path, { method, headers, body, credentials: "same-origin", signal: endOf(timeout) });
  } catch (error) {
    throw new Offline(t("problem.offline"), { cause: error });
  }
  if (response.status === 502 || response.status === 504) throw new Offline(t("problem.offline"));
  // Ended meanwhile: what is on the screen goes, too, and the sign-in comes.
  if (response.status === 401 && facts.page === "console" && facts.name) location.reload();
  if (!response.ok) throw await problemOf(response);
  const kind = response.headers.get("Content-Type") ?? "";
  return kind.includes("json") ? response.json() : response.text();
}

/** Every item of a list, page after page. */
export async function all(path) {
  const items = [];
  for (let cursor = ""; cursor !== null; ) {
    const url = new URL(path, location.href);
    url.searchParams.set("limit", "200");
    if (cursor) url.searchParams.set("cursor", cursor);
    const page = await call("GET", url.pathname + url.search);
    items.push(...page.items);
    cursor = page.next_cursor;
  }
  return items;
}

/** A new idempotency key. `crypto.randomUUID` is missing where a page is served without TLS. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Dates, times and numbers are written as where the browser is, if the page speaks its language. Digits are those that
// cards, seats and keyboards have.
const region = navigator.languages?.find((one) => one.split("-")[0] === language) ?? (language === "en" ? "en-GB" : language);
const locale = new Intl.Locale(region, { numberingSystem: "latn" });
export const clock = (moment) =>
  new Intl.DateTimeFormat(locale, { timeStyle: "short" }).format(new Date(moment));
export const date = (moment) =>
  new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(new Date(moment));
export const day = (moment) => new Intl.DateTimeFormat(locale, { dateStyle: "medium" }).format(new Date(moment));

const UNITS = /** @type {[Intl.RelativeTimeFormatUnit, number][]} */ ([["year", 365.25], ["month", 30.4], ["day", 1]]);
/** How long ago, in the page's language: "3 months ago". */
export function since(moment) {
  const days = (Date.now() - new Date(moment).getTime()) / 86_400_000;
  const [unit, length] = UNITS.find(([, one]) => days >= one) ?? UNITS[2];
  return new Intl.RelativeTimeFormat(locale, { numeric: "auto" }).format(-Math.floor(days / length), unit);
}

/** From when until when, with the zone: "27 Nov 2026, 13:00 – 16:00 CET". */
export const span = (from, to) =>
  `${new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).formatRange(new Date(from), new Date(to))} ${zone()}`;
/** How long that is: "3 hr, 30 min", as the browser writes it. */
export function duration(from, to) {
  const minutes = Math.round((Date.parse(to) - Date.parse(from)) / 60000);
  const units = [["day", Math.floor(minutes / 1440)], ["hour", Math.floor((minutes % 1440) / 60)], ["minute", minutes % 60]];
  const parts = units.filter(([, n]) => n).map(([unit, n]) => new Intl.NumberFormat(locale, { style: "unit", unit: String(unit), unitDisplay: "short" }).format(Number(n)));
  return parts.join(" ");
}
/** The time zone that all times are shown in, in short: "CET". */
export const zone = () =>
  new Intl.DateTimeFormat(locale, { timeZoneName: "short" }).formatToParts(new Date()).find(({ type }) => type === "timeZoneName")?.value ?? "";

/** The name of what is shown, in front of the product's: tabs, history and screen readers tell pages apart by it. */
export function setTitle(...parts) {
  document.title = [...parts, "Invigil"].join(" – ");
}

/** A false match rate in words: "1 in 10,000". */
export const oneIn = (rate) => new Intl.NumberFormat(locale, { maximumSignificantDigits: 2 }).format(Math.round(1 / rate));

/** Trade a key for this page's cookie. The key itself is never stored by the page. */
export async function signIn(key) {
  await call("POST", "/login", { json: { key: key.trim(), page: facts.page } });
}

/** Trade a name, a password and, where one is asked for, a one-time code for the console's cookie. */
export async function signInAs(login, password, code) {
  await call("POST", "/login", { json: { login, password, ...(code ? { code } : {}), page: facts.page } });
}

export async function signOut() {
  await call("POST", "/logout", { json: { page: facts.page } });
  location.reload();
}

/** Draw the page anew in another language, which this browser alone remembers. */
export function speak(chosen) {
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `invigil_language=${chosen}; path=/; max-age=31536000; samesite=lax${secure}`;
  location.reload();
}

document.getElementById("language")?.addEventListener("change", ({ target }) => speak(/** @type {HTMLSelectElement} */ (target).value));
