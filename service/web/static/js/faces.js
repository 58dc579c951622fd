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
  const may_look = may("override", "audit:read");
  const settled = attempt.effective_outcome !== "referred" || attempt.superseded_by;
  return h("div.faces", {},
    face(urls, "case.at_door", may_look && attempt.has_thumbnail && `/v1/checkins/${attempt.id}/thumbnail`, settled ? "case.picture_gone" : "case.picture_none"),
    face(urls, "case.at_enrolment", may_look && attempt.has_enrolment_picture && `/v1/checkins/${attempt.id}/enrolment`, "case.enrolment_none"));
}

/**
 * A picture with its caption; in its place a text where there is none, or where it cannot be read.
 *
 * @param {string[]} urls
 * @param {string} caption
 * @param {string | false | null | undefined} path
 * @param {string} missing
 * @param {string} failed
 */
export function face(urls, caption, path, missing, failed = missing) {
  const frame = h("div.face", {}, h("p.muted.small", {}, t(path ? "drawer.reading" : missing)));
  if (path) {
    fetchPicture(path).then((url) => {
      urls.push(url);
      frame.replaceChildren(h("img", { src: url, alt: t(caption) }));
    }, () => frame.replaceChildren(h("p.muted.small", {}, t(failed))));
  }
  return h("figure", {}, frame, h("figcaption", {}, t(caption)));
}

async function fetchPicture(path) {
  const answer = await fetch(path, { headers: { "X-Invigil-Page": "console" }, credentials: "same-origin" });
  if (!answer.ok) throw new Error(answer.statusText);
  return URL.createObjectURL(await answer.blob());
}
