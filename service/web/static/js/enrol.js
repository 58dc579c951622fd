// A person's own enrolment by a link: agree, take a picture or choose one, look at it, send it. Works on a phone.

import { call, date, h, language, Problem, t, textOf } from "./page.js";
import { frame, startCamera, stopCamera } from "./camera.js";
import { sendable } from "./pictures.js";
import { notice } from "./ui.js";

const view = document.getElementById("view");
const token = location.hash.slice(1);
const headers = { "X-Enrolment-Token": token };
const ADVICE = ["enrol.advice_light", "enrol.advice_straight", "enrol.advice_alone", "enrol.advice_uncovered"];

function show(...children) {
  view.replaceChildren(h("h1", {}, t("enrol.title")), ...children);
  view.focus({ preventScroll: true });
  scrollTo(0, 0);
}

async function start() {
  if (!token) return show(notice("bad", t("enrol.incomplete")));
  let link;
  try {
    link = await call("POST", "look", { headers });
  } catch (error) {
    return show(notice("bad", error instanceof Problem && error.status === 410 ? t("enrol.over") : error.message));
  }
  return askConsent(link);
}

function askConsent(link) {
  const agreed = h("input", { type: "checkbox", id: "consent" });
  const on = h("button.primary", { type: "button", disabled: true, onclick: () => choose() }, t("enrol.on"));
  agreed.addEventListener("change", () => { on.disabled = !agreed.checked; });
  show(
    h("p", {}, t("enrol.what")),
    h("section.card.stack", {}, h("h2", {}, t("enrol.consent_title")), h("p.consent", {}, t("enrol.consent")),
      h("label.check", { for: "consent" }, agreed, t("enrol.agree"))),
    h("p.muted", {}, t("enrol.instead")),
    h("p.muted.small", {}, t("enrol.until", { date: date(link.expires_at), n: link.pictures_left })),
    h("div", {}, on));
}

function choose(...before) {
  const input = h("input", { type: "file", accept: "image/*,.heic", class: "sr-only", id: "photo" });
  input.addEventListener("change", () => input.files[0] && review(input.files[0]));
  show(...before,
    h("section.card.stack", {}, h("h2", {}, t("enrol.take_title")), h("ul", {}, ADVICE.map((key) => h("li", {}, t(key)))),
      h("div.row", {}, h("button.primary", { type: "button", id: "camera", onclick: film }, t("enrol.camera")),
        h("label.button", { for: "photo", style: "display:inline-flex" }, t("enrol.file"), input))));
}

async function film() {
  const video = h("video", { muted: true, playsinline: true, "aria-label": t("enrol.preview") });
  const take = h("button.primary", { type: "button", id: "take", disabled: true }, t("enrol.take"));
  const back = () => {
    stopCamera(video);
    choose();
  };
  show(h("div.own-camera", {}, video, h("div.own-oval", { "aria-hidden": "true" })), h("p", { role: "status" }, t("enrol.into_oval")),
    h("div.row", {}, take, h("button.plain", { type: "button", onclick: back }, t("enrol.back"))));
  try {
    await startCamera(video, back);
  } catch (error) {
    return choose(notice("bad", error.message));
  }
  take.addEventListener("click", async () => {
    take.disabled = true;
    try {
      const picture = await frame(video, 1600, 0.95);
      stopCamera(video);
      review(picture);
    } catch (error) {
      stopCamera(video);
      choose(notice("bad", error.message));
    }
  });
  take.disabled = false;
  return undefined;
}

/** The picture as it will be sent; nothing has left this device before. @param {Blob} picture */
function review(picture) {
  const url = URL.createObjectURL(picture);
  const says = h("div");
  const send = h("button.primary", { type: "button", id: "send" }, t("enrol.send"));
  const other = h("button.plain", { type: "button", onclick: () => (URL.revokeObjectURL(url), choose()) }, t("enrol.other"));
  const cannotShow = (event) => event.target.replaceWith(h("p.muted", {}, t("enrol.cannot_show")));
  show(h("img.own-picture", { src: url, alt: t("enrol.your_picture"), onerror: cannotShow }), says, h("div.row", {}, send, other));
  send.addEventListener("click", async () => {
    for (const one of [send, other]) one.disabled = true;
    says.replaceChildren(notice("", t("enrol.sending")));
    const body = new FormData();
    body.append("image", await sendable(picture), "photo");
    body.append("consent", "yes");
    body.append("language", language);
    try {
      await call("POST", "picture", { form: body, headers, timeout: 60000 });
      URL.revokeObjectURL(url);
      show(notice("good", h("p", {}, t("enrol.done"))), h("p", {}, t("enrol.done_next")));
    } catch (error) {
      await refused(error, says, [send, other]);
    }
  });
}

async function refused(error, says, buttons) {
  if (error instanceof Problem && error.status === 410) return show(notice("bad", t("enrol.over")));
  const reasons = error.body?.reasons ?? [];
  const [first] = reasons;
  const why = textOf(`enrol.why_${first ?? error.code}`) ?? textOf(`guide.${first ?? error.code}`) ?? error.message;
  for (const one of buttons) one.disabled = false;
  if (!(error instanceof Problem) || error.status >= 500 || error.status === 429) return says.replaceChildren(notice("bad", why));
  try {
    const { pictures_left: left } = await call("POST", "look", { headers });
    return choose(notice("wait", h("p", {}, why), h("p", {}, t("enrol.left", { n: left }))));
  } catch {
    return show(notice("bad", t("enrol.over")));
  }
}

// Another link opened in the same tab differs behind the # alone.
addEventListener("hashchange", () => location.reload());
start();
