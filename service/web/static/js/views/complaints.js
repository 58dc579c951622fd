// Complaints about check-ins: the open ones of all exams, and those about one case.

import { call, day, h, may, t } from "../page.js";
import { again, field, form } from "../ui.js";

/** By when a complaint is answered; what is overdue stands out. */
const dueTag = (one) => h(one.is_overdue ? "span.tag.bad" : "span.tag", {},
  t(one.is_overdue ? "complaint.overdue" : "complaint.due", { date: day(`${one.due_on}T12:00`) }));

const words = (name, label) => h("label.wide", {}, label, h("textarea", { name, rows: 4, required: true, minlength: 3, maxlength: 10000 }));

/** Complaints that wait for an answer, the first due first. */
export async function openComplaints() {
  const { items } = await call("GET", "/v1/complaints");
  if (!items.length) return h("div", { hidden: true });
  return h("section.card.stack", { id: "complaints" }, h("h2", {}, t("complaint.open", { n: items.length })),
    h("ul.plain-list", {}, items.map((one) => h("li.row.between", {},
      h("a", { href: `#/sessions/${one.session_id}/case/${one.checkin_id}` }, one.external_id ?? "–"), dueTag(one)))));
}

/** Open complaints about one attempt, each to be answered, and a form for one that has come. */
export async function complaintsAbout(checkinId) {
  const { items } = await call("GET", `/v1/complaints?checkin_id=${checkinId}`);
  const take = async ({ text, received_on }) => {
    await call("POST", `/v1/checkins/${checkinId}/complaints`, { json: { text, ...(received_on ? { received_on } : {}) } });
    again();
  };
  const settle = ({ id }) => async ({ answer }) => {
    await call("POST", `/v1/complaints/${id}/answer`, { json: { answer } });
    again();
  };
  return h("details.card", { id: "complaint", open: items.length > 0 }, h("summary", {}, t("complaint.title")), h("div.stack", {},
    ...items.map((one) => h("div.stack", {},
      h("div.row.between", {}, h("p", {}, one.text), dueTag(one)),
      may("exams:write") ? form([words("answer", t("complaint.answer"))], t("complaint.settle"), settle(one)) : "")),
    h("p.muted.small", {}, t("complaint.help")),
    may("exams:write", "override") ? form([words("text", t("complaint.text")), field("received_on", t("complaint.received"), { type: "date" })], t("complaint.take"), take) : ""));
}
