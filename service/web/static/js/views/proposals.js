// Pictures that people have sent by their own link: each beside the office's portrait or a document, accepted or refused.

import { call, date, h, may, newKey, t } from "../page.js";
import { face } from "../faces.js";
import { asking, notice } from "../ui.js";
import { overruling, whyRefused } from "./enrolling.js";

/** @typedef {import("api").components["schemas"]["ProposalDocument"]} Proposal */

export async function proposals(view) {
  const urls = [];
  const list = h("ul.proposals");
  const more = h("button", { type: "button", onclick: () => next() }, t("subject.more"));
  let cursor = null;
  const next = async () => {
    const page = await call("GET", `/v1/proposals?limit=20${cursor ? `&cursor=${cursor}` : ""}`);
    list.append(...page.items.map((one) => proposal(one, urls)));
    cursor = page.next_cursor;
    more.hidden = !cursor;
    return page.items.length;
  };
  view.append(h("div", {}, h("a.small", { href: "#/subjects" }, t("nav.subjects")), h("h1", {}, t("proposal.title")), h("p.muted", {}, t("proposal.help"))));
  const found = await next();
  view.append(found ? list : h("p.muted", {}, t("proposal.none")), more);
  return () => urls.forEach((url) => URL.revokeObjectURL(url));
}

/** @param {Proposal} one */
function proposal(one, urls) {
  const says = h("div");
  const accept = (compared_with) => async (force_reason) => {
    const json = { compared_with, ...(force_reason ? { force_reason } : {}) };
    try {
      await call("POST", `/v1/proposals/${one.id}/accept`, { json, key: newKey() });
      card.replaceChildren(notice("good", t("proposal.accepted", { who: one.external_id ?? "" })), h("a", { href: `#/subjects/${one.subject_id}` }, t("proposal.to_person")));
    } catch (error) {
      says.replaceChildren(notice("bad", ...whyRefused(error), overruling(error, ({ reason }) => accept(compared_with)(reason))));
    }
  };
  const refuse = async () => {
    await call("POST", `/v1/proposals/${one.id}/refuse`, { json: {}, key: newKey() });
    card.replaceChildren(notice("", t("proposal.refused")));
  };
  const pictures = h("div.faces", {}, face(urls, "proposal.sent", `/v1/proposals/${one.id}/picture`, "proposal.no_picture"),
    face(urls, "proposal.portrait", one.has_portrait && `/v1/proposals/${one.id}/portrait`, "proposal.no_portrait", "proposal.no_picture"));
  const act = (with_, text) => h("button.primary", { type: "button", onclick: () => accept(with_)("") }, t(text));
  const card = h("li.card.stack", {},
    h("div", {}, h("h2", {}, h("a", { href: `#/subjects/${one.subject_id}` }, h("bdi", {}, one.display_name ?? one.external_id ?? t("subject.unnamed")))),
      h("p.muted", {}, h("bdi", {}, one.external_id ?? ""), ` · ${t("proposal.of", { date: date(one.created_at), until: date(one.expires_at) })}`)),
    pictures,
    one.templates ? notice("wait", t("proposal.has_templates", { n: one.templates })) : null,
    h("p", {}, t("proposal.ask")),
    may("enrol") && h("div.row.top.wrapping", {}, one.has_portrait ? act("portrait", "proposal.accept_portrait") : null, act("document", "proposal.accept_document"),
      asking(t("proposal.refuse"), t("proposal.refuse_sure"), refuse)), says);
  return card;
}
