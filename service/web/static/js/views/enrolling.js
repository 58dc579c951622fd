// Enrolling one person: a picture from a file or from the camera, and why it was refused.

import { call, h, newKey, t, wait } from "../page.js";
import { sendable } from "../pictures.js";
import { frame, guidance, startCamera, stopCamera } from "../camera.js";
import { again, field, form, notice, reasonText } from "../ui.js";

/** What a person may overrule with a reason: twins, and pictures that are far from the subject's others. */
export const FORCED = ["duplicate_identity", "not_the_same_person"];

/** Enrol a picture; what was refused stays on the page, with a way to enrol it all the same where there is one. */
async function enrol(id, picture, place, reason = "") {
  const body = new FormData();
  body.append("image", picture, "enrolment");
  const force = reason ? `?${new URLSearchParams({ force: "true", reason })}` : "";
  try {
    const made = await call("POST", `/v1/subjects/${id}/templates${force}`, { form: body, key: newKey() });
    const named = (code) => made.warnings.filter((one) => one.code === code).map((one) => one.external_id ?? one.subject_id);
    const same = named("same_photograph");
    const near = named("near_other_subject").filter((who) => !same.includes(who));
    const texts = [["subject.same_as", same], ["subject.near", near]].filter(([, who]) => who.length);
    if (texts.length) place.replaceChildren(...texts.map(([text, who]) => notice("wait", t(text, { who: who.join(", ") }))));
    else again();
  } catch (error) {
    const again = (values) => enrol(id, picture, place, values.reason);
    place.replaceChildren(notice("bad", ...whyRefused(error), overruling(error, again)));
  }
}

/** A form that asks for the reason, where a person may overrule a refusal; else nothing. */
export const overruling = (error, act) => (FORCED.includes(error.code)
  ? form([field("reason", t("subject.force_reason"), { required: true, minlength: 3, maxlength: 500 })], t("subject.force"), act) : null);

/** A refused picture in words: whose face it is, or what is wrong with it. */
export function whyRefused(error) {
  const reasons = error.body?.reasons ?? [];
  if (reasons.length) return [h("p", {}, t("subject.not_good")), h("ul", {}, reasons.map((code) => h("li", {}, reasonText(code))))];
  const { subject_id: other, external_id: number } = error.body ?? {};
  const same = error.body?.same_photograph ? h("p", {}, t("subject.same_photograph")) : null;
  return [h("p", {}, error.message), same, other ? h("p", {}, h("a", { href: `#/subjects/${other}` }, t("subject.other", { who: number ?? t("subject.unnamed") }))) : null];
}

export function filePanel(id) {
  const problem = h("div");
  const accept = "image/jpeg,image/png,image/webp,image/bmp,image/heic,.heic";
  const input = h("input", { type: "file", accept, id: "photo" });
  input.addEventListener("change", async () => input.files[0] && enrol(id, await sendable(input.files[0]), problem));
  return h("div.stack", {}, h("label", { for: "photo" }, t("subject.photo"), input), problem);
}

export function cameraPanel(id) {
  const video = h("video", { muted: true, playsinline: true, style: "width:100%;max-width:480px;border-radius:10px;transform:scaleX(-1)" });
  const hint = h("p", { role: "status" });
  const outcome = h("div");
  const take = h("button.primary", { type: "button", onclick: () => shoot() }, t("subject.take"));
  const stage = h("div.stack", { hidden: true }, video, hint, take, outcome);
  const open = h("button", { type: "button", onclick: () => start() }, t("subject.camera"));
  let running = false;

  async function start() {
    try {
      stage.hidden = false;
      await startCamera(video);
      running = true;
      open.hidden = true;
      watch();
    } catch (error) {
      hint.replaceChildren(notice("bad", error.message));
    }
  }
  async function watch() {
    while (running) {
      try {
        const body = new FormData();
        body.append("image", await frame(video), "frame.jpg");
        hint.textContent = guidance(await call("POST", "/v1/quality?for=enrol", { form: body }));
      } catch (error) {
        hint.textContent = error.message;
      }
      await wait(400);
    }
  }
  async function shoot() {
    try {
      await enrol(id, await frame(video, 1280, 0.95), outcome);
    } catch (error) {
      outcome.replaceChildren(notice("bad", error.message));
    }
  }
  const stop = () => {
    running = false;
    stopCamera(video);
  };
  return { node: h("div.stack", {}, h("div", {}, open), stage), stop };
}
