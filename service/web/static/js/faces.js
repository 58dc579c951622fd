// The two faces that a decision is about.

import { h, may, t } from "./page.js";

/**
 * The face at the door beside the one of the enrolment, each where it is kept.
 *
 * @param {any} attempt
 * @param {string[]} urls Gets what has to be revoked once nobody looks any more.
 */
export function faces(attempt, urls) {
  if (attempt.mode === "manual") return h("div", { hidden: true });
  const settled = attempt.effective_outcome !== "referred" || attempt.superseded_by;
  return h("div.faces", {},
    face(urls, "case.at_door", attempt.has_thumbnail && `/v1/checkins/${attempt.id}/thumbnail`, settled ? "case.picture_gone" : "case.picture_none"),
    face(urls, "case.at_enrolment", attempt.has_enrolment_picture && `/v1/checkins/${attempt.id}/enrolment`, "case.enrolment_none"));
}

function face(urls, caption, path, missing) {
  const frame = h("div.face", {}, h("p.muted.small", {}, t(path && may("override", "audit:read") ? "drawer.reading" : missing)));
  if (path && may("override", "audit:read")) {
    fetchPicture(path).then((url) => {
      urls.push(url);
      frame.replaceChildren(h("img", { src: url, alt: t(caption) }));
    }, () => frame.replaceChildren(h("p.muted.small", {}, t(missing))));
  }
  return h("figure", {}, frame, h("figcaption", {}, t(caption)));
}

async function fetchPicture(path) {
  const answer = await fetch(path, { headers: { "X-Invigil-Page": "console" }, credentials: "same-origin" });
  if (!answer.ok) throw new Error(answer.statusText);
  return URL.createObjectURL(await answer.blob());
}
