// The service worker of the kiosk: the page and what it is made of, also without network.
//
// The server puts `self.kept` in front of this file: the version, and the files. Another version is another worker,
// with a cache of its own. With network everything comes from the server; the cache answers where it does not.

const worker = /** @type {any} */ (self);
const { version: VERSION, files: FILES } = worker.kept;
const CACHE = `kiosk-${VERSION}`;
const PAGE = "/kiosk";
const PATIENCE_MS = 5000;

/** The page as the server draws it now. It is kept with the files of the same version alone. */
async function fetchPage(request) {
  const page = await fetch(request, { cache: "no-store" });
  if (page.ok && page.headers.get("X-Kiosk-Version") === VERSION) await (await caches.open(CACHE)).put(PAGE, page.clone());
  return page;
}

async function install() {
  const cache = await caches.open(CACHE);
  await cache.addAll(FILES.map((path) => new Request(path, { cache: "no-cache" })));
  await fetchPage(PAGE);
  await worker.skipWaiting();
}

async function takeOver() {
  const former = (await caches.keys()).filter((name) => name.startsWith("kiosk-") && name !== CACHE);
  await Promise.all(former.map((name) => caches.delete(name)));
  await worker.clients.claim();
}

/** The server's answer; the kept one where there is none, or none in time. */
async function answer(asked, path) {
  const kept = await (await caches.open(CACHE)).match(path);
  if (!kept) return asked;
  const late = new Promise((resolve) => setTimeout(() => resolve(undefined), PATIENCE_MS));
  const found = await Promise.race([asked.catch(() => undefined), late]);
  return found && found.status < 500 ? found : kept;
}

addEventListener("install", (/** @type {any} */ event) => event.waitUntil(install()));
addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(takeOver()));
addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin) return;
  if (request.mode === "navigate" && pathname === PAGE) event.respondWith(answer(fetchPage(request), PAGE));
  else if (FILES.includes(pathname)) event.respondWith(answer(fetch(request), pathname));
});
