// One attempt: why it was decided as it was, and what a person makes of it.

import { call, clock, h, t } from "../page.js";
import { choice, distanceScale, field, form, notice, reasonText, tag } from "../ui.js";

const DOCUMENTS = ["identity_card", "passport", "student_card", "driving_licence", "residence_permit", "other"];

export async function checkinCase(view, one, id) {
  const attempt = await call("GET", `/v1/checkins/${id}`);
  const back = () => (location.hash = `#/sessions/${one.id}/board`);
  view.append(
    h("div.row.between", {},
      h("div", {}, h("h2", {}, attempt.display_name ?? attempt.external_id ?? t("case.nobody")),
        h("div.muted", {}, `${attempt.external_id ?? "–"} · ${t("person.seat")} ${attempt.seat ?? "–"} · ${clock(attempt.created_at)}`)),
      tag(attempt.effective_outcome)),
    evidence(attempt),
    history(attempt),
  );
  if (attempt.superseded_by) {
    view.append(notice("wait", t("case.superseded"), " ", h("a", { href: `#/sessions/${one.id}/case/${attempt.superseded_by}` }, t("case.newer"))));
  } else if (attempt.effective_outcome === "referred" || attempt.effective_outcome === "refused") view.append(decide(one, attempt, back));
}

function evidence(attempt) {
  const measures = Object.entries(attempt.probe_quality?.measures ?? {});
  return h("section.card.stack", {},
    h("h3", {}, t("case.why")),
    attempt.reasons.length ? h("ul", {}, attempt.reasons.map((code) => h("li", {}, reasonText(code)))) : null,
    attempt.conflicts.length ? notice("bad", t("case.conflict"),
      h("ul", {}, attempt.conflicts.map((other) => h("li", {}, `${other.display_name ?? other.external_id} (${other.external_id}), ${other.room ?? "–"}, ${t("person.seat")} ${other.seat ?? "–"}${other.d === undefined ? "" : `, d = ${other.d.toFixed(3)}`}`)))) : null,
    distance(attempt),
    measures.length ? h("details", {}, h("summary", {}, t("case.quality")),
      h("dl.facts", {}, measures.flatMap(([name, value]) => [h("dt", {}, name), h("dd.mono", {}, Number(value).toFixed(2))]))) : null,
    h("details", {}, h("summary", {}, t("case.record")),
      h("dl.facts.small", {}, [
        ["case.attempt", attempt.attempt], ["case.mode", attempt.mode], ["case.kiosk", attempt.kiosk ?? attempt.actor],
        ["case.model", attempt.model_id], ["case.calibration", attempt.calibration?.id], ["case.request", attempt.request_id],
      ].flatMap(([name, value]) => [h("dt", {}, t(name)), h("dd.mono", {}, String(value ?? "–"))]))));
}

// Without the scope `scores:read` an attempt comes without its distance.
function distance(attempt) {
  if (attempt.decision === null) return h("p.muted", {}, t("case.no_distance"));
  if (attempt.d === undefined) return h("p.muted", {}, t("case.distance_hidden"));
  return distanceScale(attempt.d, attempt.threshold, attempt.fmr);
}

function history(attempt) {
  if (!attempt.overrides.length) return h("div", { hidden: true });
  return h("section.card", {}, h("h3", {}, t("case.history")),
    h("ul", {}, attempt.overrides.map((one) =>
      h("li", {}, `${clock(one.created_at)} · ${t(`status.${one.outcome}`)} · ${one.reason_code} · ${one.operator ?? one.actor} `, one.note ? h("q", {}, one.note) : null))));
}

function decide(one, attempt, back) {
  const reasons = one.reason_codes.map(({ code, label }) => [code, label]);
  const candidate = attempt.external_id ? [] : [field("candidate", t("person.number"), { required: true })];
  const named = (values) => (attempt.external_id ? {} : { candidate: values.candidate });
  const override = async (values, event) => {
    const body = { outcome: event.submitter.value, reason_code: values.reason_code, note: values.note || null, seen_overrides: attempt.overrides.length, ...named(values) };
    await call("POST", `/v1/checkins/${attempt.id}/override`, { json: body });
    back();
  };
  const identify = async ({ document_type, note, candidate: typed }) => {
    const json = { candidate: attempt.external_id ?? typed, document_type, note: note || null };
    await call("POST", `/v1/sessions/${one.id}/identifications`, { json });
    back();
  };
  const decision = form([
    ...candidate,
    choice("reason_code", t("case.reason"), [["", t("case.choose")], ...reasons], { required: true }),
    field("note", t("case.note"), { maxlength: 1000 }),
    h("div.wide.row", {}, h("button.good", { value: "admitted" }, t("case.admit")), h("button.bad", { value: "refused" }, t("case.refuse"))),
  ], "", override);
  decision.lastElementChild.remove();
  return h("div.grid", { style: "grid-template-columns:repeat(auto-fit,minmax(min(100%,380px),1fr))" },
    h("section.card.stack", { "aria-labelledby": "decide" }, h("h3", { id: "decide" }, t("case.decide")), decision),
    h("section.card.stack", { "aria-labelledby": "identify" }, h("h3", { id: "identify" }, t("case.identify")), h("p.muted.small", {}, t("case.identify_help")),
      form([
        ...(attempt.external_id ? [] : [field("candidate", t("person.number"), { required: true })]),
        choice("document_type", t("case.document"), DOCUMENTS.map((kind) => [kind, t(`document.${kind}`)])),
        field("note", t("case.note"), { maxlength: 1000 }),
      ], t("case.identified"), identify)));
}
