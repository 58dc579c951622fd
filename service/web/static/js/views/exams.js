// Exams and their sessions.

import { all, call, date, h, may, t } from "../page.js";
import { again, choice, field, form, table } from "../ui.js";
import { sessionCard } from "./home.js";

const RATES = [["", "exam.default_rate"], ["0.0001", "1 in 10,000"], ["0.0003", "1 in 3,000"], ["0.001", "1 in 1,000"], ["0.003", "1 in 300"], ["0.01", "1 in 100"]];
const rates = () => RATES.map(([value, text]) => [value, text.startsWith("exam.") ? t(text) : text]);

const PICTURES = ["until_settled", "never", "appeals"];

const moment = (text) => new Date(text).toISOString();
/** A moment as `datetime-local` wants it, minutes from now. */
function localTime(minutes) {
  const at = new Date(Date.now() + minutes * 60000);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

export async function exams(view) {
  const [known, archived] = await Promise.all([all("/v1/exams"), all("/v1/exams?archived=true")]);
  const create = async (values) => {
    const { name, starts_at, ends_at, match_fmr, refer_fmr } = values;
    const times = { starts_at: moment(starts_at), ends_at: moment(ends_at) };
    const body = { name, ...times, ...chosen({ match_fmr, refer_fmr }), identification: values.identification === "true", case_pictures: values.case_pictures };
    const made = await call("POST", "/v1/exams", { json: body });
    location.hash = `#/exams/${made.id}`;
  };
  view.append(...[
    h("h1", {}, t("nav.exams")),
    known.length ? h("section.card", {}, table(t("nav.exams"), [
      [t("exam.name"), (one) => h("a", { href: `#/exams/${one.id}` }, one.name)],
      [t("exam.starts"), (one) => date(one.starts_at)],
      [t("exam.ends"), (one) => date(one.ends_at)],
    ], known)) : h("p.muted", {}, t("exam.none")),
    archived.length ? h("details", {}, h("summary", {}, t("exam.archive", { n: archived.length })),
      h("ul", {}, archived.map((one) => h("li", {}, h("a", { href: `#/exams/${one.id}` }, one.name), ` · ${date(one.starts_at)}`)))) : "",
    may("exams:write") && h("section.card.stack", {}, h("h2", {}, t("exam.new")),
      form([
        field("name", t("exam.name"), { required: true, maxlength: 200 }),
        field("starts_at", t("exam.starts"), { type: "datetime-local", required: true, value: localTime(0) }),
        field("ends_at", t("exam.ends"), { type: "datetime-local", required: true, value: localTime(180) }),
        choice("match_fmr", t("exam.match_fmr"), rates()),
        choice("refer_fmr", t("exam.refer_fmr"), rates()),
        choice("case_pictures", t("exam.case_pictures"), PICTURES.map((one) => [one, t(`exam.pictures_${one}`)])),
        choice("identification", t("exam.identification"), [["", t("exam.claimed_only")], ["true", t("exam.searched")]]),
      ], t("exam.create"), create)),
  ].filter(Boolean));
}

const chosen = (rates) => Object.fromEntries(Object.entries(rates).filter(([, rate]) => rate).map(([name, rate]) => [name, Number(rate)]));

export async function exam(view, id) {
  const [one, sessions] = await Promise.all([call("GET", `/v1/exams/${id}`), all(`/v1/exams/${id}/sessions`)]);
  const create = async ({ room, opens_at, closes_at }) => {
    await call("POST", `/v1/exams/${id}/sessions`, { json: { room, opens_at: moment(opens_at), closes_at: moment(closes_at) } });
    again();
  };
  const remove = async ({ reason }) => {
    await call("DELETE", `/v1/exams/${id}${reason ? `?${new URLSearchParams({ reason })}` : ""}`);
    location.hash = "#/exams";
  };
  view.append(...[
    h("div", {}, h("h1", {}, one.name), h("p.muted", {}, `${date(one.starts_at)} – ${date(one.ends_at)}`),
      h("p.muted", {}, `${t("exam.identification")} ${t(one.identification ? "exam.searched" : "exam.claimed_only")}. ${t("exam.case_pictures")}: ${t(`exam.pictures_${one.case_pictures}`)}.`)),
    h("section.stack", {}, h("h2", {}, t("exam.sessions")),
      sessions.length ? h("div.grid", {}, sessions.map(sessionCard)) : h("p.muted", {}, t("exam.no_sessions"))),
    one.archived_at ? h("p.muted", { id: "archived" }, t("exam.archived", { when: date(one.archived_at) })) : may("exams:write") && h("section.card.stack", {}, h("h2", {}, t("exam.new_session")),
      form([
        field("room", t("session.room"), { required: true, maxlength: 200 }),
        field("opens_at", t("session.opens"), { type: "datetime-local", required: true, value: localTime(-5) }),
        field("closes_at", t("session.closes"), { type: "datetime-local", required: true, value: localTime(120) }),
      ], t("exam.add_session"), create)),
    !one.archived_at && may("exams:write") && h("details", {}, h("summary", {}, t("exam.remove")), h("p.muted", {}, t("exam.remove_help")),
      form([field("reason", t("exam.remove_reason"), { minlength: 3, maxlength: 500 })], t("exam.remove"), remove, "plain")),
  ].filter(Boolean));
}
