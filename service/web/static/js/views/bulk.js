// Many photos at once: a folder, a ZIP or a list beside pictures; what was refused is shown, and tried again one by one.

import { call, h, newKey, Offline, Problem, t, textOf, wait } from "../page.js";
import { ArchiveRefused } from "../archive.js";
import { ofTab, readKept } from "../kept.js";
import { readPhotos } from "../photos.js";
import { sendable } from "../pictures.js";
import { notice, table } from "../ui.js";
import { FORCED, whyRefused } from "./enrolling.js";

const AT_ONCE = 3;
const KEPT = "bulk-enrolment";
const SHOWN = 200;
const BUSY = [429, 503];

/** @typedef {import("../photos.js").Photo} Photo */
/** @typedef {{dry: boolean, state: string, photos: number, done: number, enrolled: number, known: number, warned: number, refused: any[], skipped: any[], without: string[]}} Run */

export function bulk(view) {
  const dry = h("input", { type: "checkbox", id: "dry-run" });
  const place = h("div.stack", { id: "run" });
  const urls = [];
  const control = { isStopped: false };
  const start = async (input) => {
    const chosen = [...input.files];
    if (!chosen.length) return;
    control.isStopped = false;
    for (const one of inputs) one.disabled = true;
    try {
      await enrolAll(chosen, dry.checked, place, urls, control);
    } catch (error) {
      place.replaceChildren(notice("bad", error instanceof ArchiveRefused ? t(`bulk.${error.code}`) : error.message));
    }
    for (const one of inputs) one.disabled = false;
    input.value = "";
  };
  const chooser = (id, attributes) => {
    const input = h("input", { type: "file", class: "sr-only", id, multiple: true, ...attributes });
    input.addEventListener("change", () => start(input));
    return input;
  };
  const inputs = [chooser("bulk-folder", { webkitdirectory: true }), chooser("bulk-files", { accept: ".zip,.csv,.xlsx,image/*,.heic" })];
  const label = (input, text) => h("label.button", { for: input.id, style: "display:inline-flex" }, t(text), input);
  view.append(
    h("div", {}, h("a.small", { href: "#/subjects" }, t("nav.subjects")), h("h1", {}, t("bulk.title"))),
    h("section.card.stack", {}, h("p", {}, t("bulk.help")),
      h("ul", {}, ["bulk.help_folder", "bulk.help_zip", "bulk.help_list"].map((key) => h("li", {}, t(key)))),
      h("label.check", { for: "dry-run" }, dry, t("bulk.dry_run")),
      h("div.row", {}, label(inputs[0], "bulk.folder"), label(inputs[1], "bulk.files")),
      h("p.muted.small", {}, t("bulk.stays_here"))),
    place,
  );
  const before = kept();
  if (before) draw(place, before, { interrupted: before.state === "running" });
  return () => {
    control.isStopped = true;
    for (const url of urls) URL.revokeObjectURL(url);
  };
}

/** What this tab has done before it was loaded again; pictures are not kept by the browser. @returns {Run | null} */
const kept = () => readKept(ofTab, KEPT);

function keep(run) {
  const plain = run.refused.slice(0, SHOWN).map(({ external_id, name, code, reasons, subject_id }) => ({ external_id, name, code, reasons, subject_id }));
  ofTab.set(KEPT, JSON.stringify({ ...run, refused: plain, skipped: run.skipped.slice(0, SHOWN) }));
}

async function enrolAll(chosen, dry, place, urls, control) {
  place.replaceChildren(notice("", t("bulk.reading")));
  const { photos, skipped } = await readPhotos(chosen);
  /** @type {Run} */
  const run = { dry, state: "running", photos: photos.length, done: 0, enrolled: 0, known: 0, warned: 0, refused: [], skipped, without: [] };
  const shown = progress(place, run, () => { control.isStopped = true; });
  const left = photos.values();
  const works = Array.from({ length: AT_ONCE }, async () => {
    for (const photo of left) {
      if (control.isStopped) return;
      await enrolOne(photo, run, urls);
      run.done += 1;
      shown();
      keep(run);
    }
  });
  await Promise.all(works);
  run.state = run.done < run.photos ? "stopped" : "done";
  if (!dry) run.without = await leftWithout(run.refused);
  keep(run);
  draw(place, run, {});
}

function progress(place, run, stop) {
  const bar = h("progress", { max: Math.max(run.photos, 1), value: 0, "aria-label": t("bulk.title"), style: "width:100%" });
  const says = h("p", { role: "status" });
  place.replaceChildren(h("section.card.stack", {}, bar, says, h("div", {}, h("button", { type: "button", onclick: stop }, t("bulk.stop")))));
  return () => {
    bar.value = run.done;
    says.textContent = t("bulk.progress", { done: run.done, photos: run.photos, refused: run.refused.length });
  };
}

/** @param {Photo} photo @param {Run} run */
async function enrolOne(photo, run, urls) {
  let picture = null;
  try {
    picture = await photo.read();
    const found = await send(photo, picture, run.dry);
    run[found.fate] += 1;
    if (found.warnings.length) run.warned += 1;
  } catch (error) {
    const url = picture ? URL.createObjectURL(picture) : null;
    if (url) urls.push(url);
    const reasons = error.body?.reasons ?? [];
    run.refused.push({ external_id: photo.external_id, display_name: photo.display_name, name: photo.name, code: error.code ?? "offline", reasons, subject_id: error.body?.subject_id, error, picture, url });
  }
}

/** Send one photo; where the service is busy or away for a moment, once more and then again. */
async function send(photo, picture, dry, reason = "") {
  const body = new FormData();
  body.append("image", await sendable(picture), "photo");
  body.append("external_id", photo.external_id);
  if (photo.display_name) body.append("display_name", photo.display_name);
  const ask = new URLSearchParams({ dry_run: String(dry), ...(reason ? { force: "true", reason } : {}) });
  const key = newKey();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call("POST", `/v1/enrolments?${ask}`, { form: body, key, timeout: 60000 });
    } catch (error) {
      const mayPass = error instanceof Offline || (error instanceof Problem && BUSY.includes(error.status));
      if (!mayPass || attempt === 6) throw error;
      await wait(500 * 2 ** attempt);
    }
  }
}

/** Who of those with a refused photo has no template, asked now. */
async function leftWithout(refused) {
  const numbers = [...new Set(refused.map((one) => one.external_id))];
  const without = [];
  for (const number of numbers) {
    try {
      const one = await call("GET", `/v1/subjects/ext:${encodeURIComponent(number)}`);
      if (!one.templates) without.push(number);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      without.push(number);
    }
  }
  return without;
}

/** @param {Run} run */
function draw(place, run, { interrupted = false }) {
  /** @type {HTMLElement[]} */
  const parts = [h("h2", {}, t(run.dry ? "bulk.result_dry" : "bulk.result"))];
  if (interrupted) parts.push(notice("wait", t("bulk.interrupted", { done: run.done, photos: run.photos })));
  else if (run.state === "stopped") parts.push(notice("wait", t("bulk.stopped", { done: run.done, photos: run.photos })));
  parts.push(h("div.counts", {}, [["enrolled", run.enrolled], ["known", run.known], ["refused", run.refused.length], ["skipped", run.skipped.length]]
    .map(([name, n]) => h("div", {}, h("b", {}, String(n)), t(`bulk.${name}`)))));
  if (run.warned) parts.push(notice("wait", t("bulk.warned", { n: run.warned })));
  if (run.without.length) parts.push(h("section", {}, h("h3", {}, t("bulk.without", { n: run.without.length })),
    h("ul", { id: "without" }, run.without.slice(0, SHOWN).map((one) => h("li", {}, h("bdi", {}, one))))));
  if (run.refused.length) parts.push(h("h3", {}, t("bulk.refused_title")), h("ul.refusals", {}, run.refused.slice(0, SHOWN).map((one) => refusal(one, run))));
  if (run.skipped.length) parts.push(h("details", {}, h("summary", {}, t("bulk.skipped_title", { n: run.skipped.length })),
    table(t("bulk.skipped"), [
      [t("bulk.file"), (one) => h("bdi", {}, one.name)],
      [t("ready.why"), (one) => textOf(`bulk.${one.code}`) ?? one.code],
    ], run.skipped.slice(0, SHOWN))));
  place.replaceChildren(h("section.card.stack", {}, ...parts));
}

/** A refused photo: the picture, why, and another one in its place. */
function refusal(one, run) {
  const says = h("div.stack", {}, ...whyOf(one));
  const settled = () => says.replaceChildren(notice("good", t("bulk.settled")));
  const again = async (picture, reason = "") => {
    says.replaceChildren(h("p.muted", {}, t("bulk.sending")));
    try {
      await send(one, picture, run.dry, reason);
      settled();
    } catch (error) {
      Object.assign(one, { error, code: error.code ?? "offline", reasons: error.body?.reasons ?? [] });
      says.replaceChildren(...whyOf(one), ...overruled());
    }
  };
  const overruled = () => {
    if (!one.picture || !FORCED.includes(one.code) || run.dry) return [];
    const reason = h("input", { "aria-label": t("subject.force_reason"), placeholder: t("subject.force_reason"), minlength: 3, maxlength: 500 });
    return [h("div.row.tight", {}, reason, h("button", { type: "button", onclick: () => reason.value.trim().length >= 3 && again(one.picture, reason.value.trim()) }, t("subject.force")))];
  };
  says.append(...overruled());
  const input = h("input", { type: "file", class: "sr-only", accept: "image/*,.heic", "aria-label": t("bulk.another", { who: one.external_id }) });
  input.addEventListener("change", () => input.files[0] && again(input.files[0]));
  const face = h("div.face", {}, one.url ? h("img", { src: one.url, alt: t("bulk.picture_of", { who: one.external_id }) }) : h("p.muted.small", {}, t("bulk.no_picture")));
  return h("li.card", {}, face, h("div.stack", {}, h("h4", {}, h("bdi", {}, one.external_id)), h("p.muted.small", {}, h("bdi", {}, one.name)), says,
    h("label.button", { style: "display:inline-flex" }, t("bulk.try_another"), input)));
}

function whyOf(one) {
  if (one.error instanceof Problem) return whyRefused(one.error).filter(Boolean);
  if (one.error instanceof ArchiveRefused || !one.error) return [h("p", {}, textOf(`bulk.${one.code}`) ?? textOf(`problem.${one.code}`) ?? (one.reasons?.map((code) => textOf(`guide.${code}`) ?? code).join(" ") || one.code))];
  return [h("p", {}, one.error.message)];
}
