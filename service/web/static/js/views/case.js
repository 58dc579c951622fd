// One attempt: the two faces, why it was referred, and what a person makes of it.

import { call, clock, date, h, may, setTitle, t, textOf } from "../page.js";
import { again, announce, needText, notice, tag, toast } from "../ui.js";
import { bandScale } from "../scale.js";
import { decisionForm, documentForm } from "../decisions.js";
import { faces } from "../faces.js";
import { whatDecided } from "../explaining.js";
import { complaintsAbout } from "./complaints.js";
import { heldText } from "./held.js";
import { flagTags, nameOf } from "./queue.js";

const LET_IN = ["admitted", "identified_manually"];

export async function checkinCase(view, one, id, ...above) {
  const [attempt, { items }, complaints] = await Promise.all([
    call("GET", `/v1/checkins/${id}`), call("GET", `/v1/sessions/${one.id}/waiting`), complaintsAbout(id),
  ]);
  // Whoever was turned away without an attempt is helped from the board.
  const queue = items.filter(({ checkin_id }) => checkin_id);
  const who = attempt.display_name ?? attempt.external_id ?? t("case.nobody");
  const need = queue.find(({ checkin_id }) => checkin_id === id);
  const urls = [];
  const both = faces(attempt, urls);
  setTitle(...(items.length ? [t("board.title_waiting", { n: items.length })] : []), who, one.room);
  view.append(
    steps(one, id, queue),
    ...above,
    h("div.row.between", {},
      h("div", {}, h("h2", { id: "case-title" }, who),
        h("div.muted", {}, `${attempt.external_id ?? "–"} · ${t("person.seat")} ${attempt.seat ?? "–"} · ${clock(attempt.taken_at ?? attempt.created_at)} · ${t(`mode.${attempt.mode}`)}`),
        ...withoutNetwork(attempt),
        attempt.source === "paper" ? h("div.muted", {}, t("paper.taken", { time: date(attempt.created_at) })) : "",
        ...(need?.candidate ? flagTags(need.candidate) : [])),
      tag(attempt.effective_outcome)),
    both,
    whatDecided(attempt, both),
    evidence(attempt),
    history(attempt, one),
    attempt.external_id && may("audit:read") ? takeEvidence(one, attempt) : "",
    ...decide(view, one, attempt, queue, who),
    complaints,
  );
  return () => urls.forEach((url) => URL.revokeObjectURL(url));
}

/** Of an attempt that was taken without network: when it was, and what the kiosk did. */
function withoutNetwork(attempt) {
  if (attempt.provisional === null) return [];
  return [
    h("div.muted", { id: "without-network" }, t("held.taken", { taken: clock(attempt.taken_at), delivered: clock(attempt.created_at) })),
    attempt.time_estimated ? h("div.muted.small", {}, t("held.estimated")) : "",
    attempt.held ? h("div.row.tight", {}, h("span.tag", {}, heldText(attempt))) : "",
  ];
}

function steps(one, id, queue) {
  const place = queue.findIndex(({ checkin_id }) => checkin_id === id);
  const link = (need, text, rel) => need && h("a.button", { href: `#/sessions/${one.id}/case/${need.checkin_id}`, rel }, t(text));
  return h("nav.row.between", { "aria-label": t("case.steps") },
    h("a", { href: `#/sessions/${one.id}/board` }, t("case.to_board")),
    h("div.row.tight", {},
      h("span.muted.small", {}, place >= 0 ? t("case.place", { place: place + 1, n: queue.length }) : t("case.waiting", { n: queue.length })),
      place > 0 ? link(queue[place - 1], "case.previous", "prev") : "",
      link(queue[place + 1] ?? (place < 0 ? queue[0] : null), "case.next", "next") ?? ""));
}

/** Everything about the candidate as one file, for an appeal. */
const takeEvidence = (one, { external_id }) => h("div.stack", {},
  h("div", {}, h("a.button", { href: `/v1/sessions/${one.id}/candidates/${encodeURIComponent(external_id)}/evidence`, download: "", id: "take-evidence" }, t("download.evidence"))),
  h("p.muted.small", {}, t("download.evidence_help")));

/** Why it was referred, or what it rests on: what was compared, and who else is near. */
function evidence(attempt) {
  const measures = Object.entries(attempt.probe_quality?.measures ?? {});
  const title = attempt.outcome === "referred" ? "case.why" : attempt.mode === "manual" ? "case.by_document" : "case.rests_on";
  return h("section.card.stack", { "aria-labelledby": "why" },
    h("h3", { id: "why" }, t(title)),
    attempt.why.length ? h("ul.needs", {}, attempt.why.map((code) => h("li", {}, needText(code)))) : null,
    attempt.document_type ? h("p", {}, t(`document.${attempt.document_type}`), attempt.note ? ` · ${attempt.note}` : "") : null,
    attempt.decision ? bandScale(attempt) : attempt.mode === "manual" ? null : h("p.muted", {}, t("case.no_distance")),
    attempt.motion ? h("p", { id: "motion" }, t(`motion.${attempt.motion}`), " ", h("span.muted.small", {}, t("motion.made_scenes"))) : null,
    attempt.conflicts.length ? notice("wait", h("strong", {}, t("case.conflict")),
      h("ul", {}, attempt.conflicts.map((other) => h("li", {}, near(other))))) : null,
    measures.length ? h("details", {}, h("summary", {}, t("case.quality")),
      h("dl.facts", {}, measures.flatMap(([name, value]) => [h("dt", {}, textOf(`measure.${name}`) ?? name), h("dd.mono", {}, Number(value).toFixed(2))]))) : null,
    h("details", {}, h("summary", {}, t("case.record")),
      h("dl.facts.small", {}, [
        ["case.attempt", attempt.attempt], ["case.mode", t(`mode.${attempt.mode}`)], ["case.kiosk", attempt.kiosk ?? attempt.actor],
        ["case.model", attempt.model_id], ["case.calibration", attempt.calibration?.id], ["case.request", attempt.request_id],
      ].flatMap(([name, value]) => [h("dt", {}, t(name)), h("dd.mono", {}, String(value ?? "–"))]))));
}

const near = (other) => [
  `${nameOf(other)} (${other.external_id})`, other.room, other.seat && t("board.seat", { seat: other.seat }),
  other.checked_in_at && t("case.in_since", { time: clock(other.checked_in_at) }), other.d === undefined ? null : `d = ${other.d.toFixed(3)}`,
].filter(Boolean).join(" · ");

function history(attempt, one) {
  if (!attempt.overrides.length) return h("div", { hidden: true });
  const reason = (code) => one.reason_codes.find((known) => known.code === code)?.label ?? code;
  return h("section.card", {}, h("h3", {}, t("case.history")),
    h("ol.attempts", {}, attempt.overrides.map((made) => h("li", {},
      `${clock(made.created_at)} · `, h("strong", {}, t(`status.${made.outcome}`)), ` · ${reason(made.reason_code)} · ${made.operator ?? made.actor.replace(/ \([^)]*\)$/, "")} `,
      made.note ? h("q", {}, made.note) : ""))));
}

function decide(view, one, attempt, queue, who) {
  if (attempt.superseded_by) {
    return [notice("wait", t("case.superseded"), " ", h("a", { href: `#/sessions/${one.id}/case/${attempt.superseded_by}` }, t("case.newer")))];
  }
  if (!may("override")) return [];
  const done = (outcome) => {
    const text = t("drawer.done", { name: who, status: t(`status.${outcome}`) });
    announce(text);
    toast(text, " ", h("a", { href: `#/sessions/${one.id}/case/${attempt.id}` }, t("case.correct_this")));
    const next = queue.find(({ checkin_id }) => checkin_id !== attempt.id);
    location.hash = next ? `#/sessions/${one.id}/case/${next.checkin_id}` : `#/sessions/${one.id}/board`;
  };
  // Somebody was quicker: the case as it is now, with who it was above it.
  const redraw = async (...above) => {
    if (!above.length) return again();
    const fresh = h("div.stack");
    await checkinCase(fresh, one, attempt.id, ...above);
    view.replaceChildren(fresh);
  };
  const isIn = LET_IN.includes(attempt.effective_outcome);
  const title = attempt.effective_outcome === "referred" ? "case.decide" : "drawer.correct";
  const decision = h("section.card.stack", { "aria-labelledby": "decide" }, h("h3", { id: "decide" }, t(title)), decisionForm(one, attempt, { done, again: redraw }));
  const identify = h("section.card.stack", { "aria-labelledby": "identify" }, h("h3", { id: "identify" }, t("case.identify")),
    h("p.muted.small", {}, t("case.identify_help")), documentForm(one, attempt.external_id, { done, again: redraw }));
  const settled = attempt.effective_outcome !== "referred";
  return settled ? [h("details.card", {}, h("summary", {}, t(title)), decision.lastElementChild), ...(isIn ? [] : [identify])]
    : [h("div.grid.wide", {}, decision, identify)];
}
