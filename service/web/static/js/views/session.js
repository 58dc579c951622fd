// One session: its tabs, and what does not deserve a file of its own.

import { all, call, clock, h, may, setTitle, t } from "../page.js";
import { choice, needText, table, when } from "../ui.js";
import { board, sessionWindow } from "./board.js";
import { checkinCase } from "./case.js";
import { paper } from "./paper.js";
import { kiosks } from "./kiosks.js";
import { downloads, sheets } from "./downloads.js";
import { changeSession } from "./exams.js";
import { sessionReadiness } from "./readiness.js";
import { reportCard } from "./report.js";
import { roster } from "./roster.js";
import { walk } from "./walk.js";

const tabs = { board, walk, roster, readiness: sessionReadiness, attempts, paper, kiosk: kiosks, case: checkinCase };

export async function session(view, id, tab = "board", detail = undefined) {
  const one = await call("GET", `/v1/sessions/${id}`);
  const open = Object.keys(tabs).filter((name) => name !== "case" && (name !== "walk" || may("checkin", "override")) && (name !== "paper" || may("override")) && (name !== "kiosk" || may("exams:write")));
  const shown = open.includes(tab) || tab === "case" ? tab : "board";
  view.append(
    h("div", {},
      h("a.small", { href: `#/exams/${one.exam_id}` }, one.exam_name),
      h("h1", {}, one.room),
      h("p.muted", { id: "session-window" }, sessionWindow(one))),
    h("nav.tabs", { "aria-label": t("session.tabs") }, open.map((name) =>
      h("a", { href: `#/sessions/${id}/${name}`, "aria-current": name === shown ? "page" : name === "board" && shown === "case" && "true" }, t(`session.tab_${name}`)))),
  );
  const body = h("div.stack");
  setTitle(t(shown === "case" ? "console.case" : `session.tab_${shown}`), one.room, one.exam_name);
  view.append(body, may("exams:write") && shown !== "case" ? changeSession(one) : "");
  return tabs[shown](body, one, detail);
}

/** @param {import("api").components["schemas"]["PilotReport"]} report */
function pilotCard(report) {
  return h("section.card.stack", { id: "pilot" }, h("h2", {}, t("pilot.title")),
    h("p.muted", {}, t("pilot.help", { attempts: report.attempts, failed: report.not_compared, unknown: report.unknown })),
    table(t("pilot.title"), [
      [t("pilot.decided"), (row) => t(`pilot.${row}`)],
      [t("pilot.would_admit"), (row) => String(report[row].would_admit)],
      [t("pilot.would_refer"), (row) => String(report[row].would_refer)],
    ], ["let_in", "not_let_in"]));
}

const OUTCOMES = ["referred", "admitted", "identified_manually", "refused"];

async function attempts(view, one) {
  const tried = await all(`/v1/sessions/${one.id}/checkins`);
  const shown = h("section.card");
  const draw = (outcome) => {
    const rows = tried.filter((row) => !outcome || (row.effective_outcome === outcome && !row.superseded_by));
    shown.replaceChildren(rows.length ? table(t("session.tab_attempts"), [
      [t("attempts.when"), (row) => h("span", {}, when(row.taken_at ?? row.created_at, clock), row.source === "paper" ? ` · ${t("paper.source")}` : "")],
      [t("attempts.outcome"), (row) => h("a.whole", { href: `#/sessions/${one.id}/case/${row.id}` }, row.superseded_by ? t("status.superseded") : t(`status.${row.effective_outcome}`))],
      [t("person.name"), (row) => h("bdi.whole", {}, row.display_name ?? "–")],
      [t("person.number"), (row) => row.external_id ?? "–"],
      [t("person.seat"), (row) => row.seat],
      [t("ready.why"), (row) => row.why.map(needText).join("; ")],
      ["d", (row) => row.d?.toFixed(3)],
    ], rows) : h("p.muted", {}, t("attempts.none")));
  };
  const filter = choice("outcome", t("attempts.filter"), [["", t("attempts.all")], ...OUTCOMES.map((name) => [name, t(`status.${name}`)])]);
  filter.addEventListener("change", (event) => draw(/** @type {HTMLSelectElement} */ (event.target).value));
  if (one.faces !== "off") view.append(reportCard(await call("GET", `/v1/sessions/${one.id}/report`)));
  if (one.faces === "pilot") view.append(pilotCard(await call("GET", `/v1/sessions/${one.id}/pilot`)));
  view.append(
    h("div.row.between", {}, h("h2", {}, t("session.tab_attempts")),
      h("div.row", {}, filter)),
    downloads([
      ...sheets(one),
      [`/v1/sessions/${one.id}/attendance.pdf`, t("download.attendance_pdf")],
      [`/v1/sessions/${one.id}/attendance.csv`, t("download.attendance_csv")],
      [`/v1/sessions/${one.id}/report.pdf`, t("download.report_pdf")],
      [`/v1/sessions/${one.id}/report.csv`, t("download.report")],
    ]),
    shown);
  draw("");
}
