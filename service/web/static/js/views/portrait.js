// The office's portrait of a person: put, seen, replaced, removed.

import { call, day, h, t } from "../page.js";
import { face } from "../faces.js";
import { again, asking, field, form } from "../ui.js";

/** @typedef {import("api").components["schemas"]["SubjectDocument"]} Subject */

/** @param {Subject} one @param {string[]} urls Object URLs that the view takes back. */
export function portraitPanel(one, urls) {
  const put = async (_, event) => {
    const sent = new FormData();
    sent.append("image", event.target.elements.image.files[0]);
    await call("PUT", `/v1/subjects/${one.id}/portrait`, { form: sent, timeout: 60000 });
    again();
  };
  const remove = async () => {
    await call("DELETE", `/v1/subjects/${one.id}/portrait`);
    again();
  };
  const shown = h("div.faces");
  // Each look goes into the audit trail: nobody looks by opening the page.
  const look = () => shown.replaceChildren(face(urls, "portrait.title", `/v1/subjects/${one.id}/portrait`, "proposal.no_portrait", "proposal.no_picture"));
  return h("section.card.stack", { id: "portrait" }, h("h2", {}, t("portrait.title")), h("p.muted", {}, t("portrait.help")),
    one.portrait_at ? h("p", {}, t("portrait.since", { date: day(one.portrait_at) })) : h("p.muted", {}, t("proposal.no_portrait")),
    one.portrait_at ? h("div.row", {}, h("button", { type: "button", onclick: look }, t("portrait.look"))) : null, shown,
    form([field("image", t("portrait.file"), { type: "file", accept: "image/*", required: true })], t(one.portrait_at ? "portrait.replace" : "portrait.put"), put, "plain"),
    one.portrait_at ? asking(t("portrait.remove"), t("portrait.remove_sure"), remove) : null);
}
