// What a person decides about a candidate: admit, refuse, correct, identify by a document; and who was quicker.

import { call, clock, h, Problem, t } from "./page.js";
import { choice, field, form, notice } from "./ui.js";

export const DOCUMENTS = ["identity_card", "passport", "student_card", "driving_licence", "residence_permit", "other"];
const LET_IN = ["admitted", "identified_manually"];
const OUTRUN = ["decided_meanwhile", "already_decided", "already_checked_in", "attempt_superseded"];

/**
 * The form that settles an attempt, or corrects how it was settled.
 *
 * @param {any} session
 * @param {any} attempt
 * @param {{done: (outcome: string) => void, again: () => void}} after
 */
export function decisionForm(session, attempt, { done, again }) {
  const now = attempt.effective_outcome;
  const named = attempt.external_id || attempt.overrides.length;
  const decide = async (values, event) => {
    const outcome = event.submitter.value;
    const json = {
      outcome, reason_code: values.reason_code, note: values.note || null, seen_overrides: attempt.overrides.length,
      ...(values.candidate ? { candidate: values.candidate } : {}),
    };
    await outrun(again, () => call("POST", `/v1/checkins/${attempt.id}/override`, { json }));
    done(outcome);
  };
  const buttons = [
    LET_IN.includes(now) ? null : h("button.good", { value: "admitted" }, t("case.admit")),
    now === "refused" ? null : sure(h("button.bad", { value: "refused" }, t(LET_IN.includes(now) ? "case.take_back" : "case.refuse")), t("case.refuse_sure")),
  ];
  const made = form([
    ...(named ? [] : [field("candidate", t("case.who"), { maxlength: 255 })]),
    choice("reason_code", t("case.reason"), [["", t("case.choose")], ...session.reason_codes.map(({ code, label }) => [code, label])], { required: true }),
    field("note", t("case.note"), { maxlength: 1000 }),
    h("div.wide.row", {}, ...buttons.filter(Boolean)),
  ], "", decide);
  made.lastElementChild.remove();
  return made;
}

/** Whether people may come too late in this session. */
const hasLastEntry = (session) => session.late_entry === "reason" && (session.last_entry_minutes !== null || session.no_entry_after_exit);

/** Identification by a document, open to everybody on the roster who is not in. */
export function documentForm(session, externalId, { done, again }) {
  const identify = async ({ document_type, note, candidate, late_reason }) => {
    const json = { candidate: externalId ?? candidate, document_type, note: note || null, ...(late_reason ? { late_reason } : {}) };
    await outrun(again, () => call("POST", `/v1/sessions/${session.id}/identifications`, { json }));
    done("identified_manually");
  };
  return form([
    ...(externalId ? [] : [field("candidate", t("person.number"), { required: true, maxlength: 255 })]),
    choice("document_type", t("case.document"), DOCUMENTS.map((kind) => [kind, t(`document.${kind}`)])),
    field("note", t("case.document_note"), { maxlength: 1000 }),
    ...(hasLastEntry(session) ? [field("late_reason", t("drawer.late"), { minlength: 3, maxlength: 500 })] : []),
  ], t("case.identified"), identify);
}

/** A button that has to be pressed twice. */
function sure(button, question) {
  let asked = false;
  const label = button.textContent;
  const calm = () => {
    asked = false;
    button.textContent = label;
  };
  button.addEventListener("click", (event) => {
    if (asked || !button.form.reportValidity()) return;
    event.preventDefault();
    asked = true;
    button.textContent = question;
  });
  button.addEventListener("blur", calm);
  return button;
}

/** Do something that somebody else may have done first; then say who, and show what counts now. */
async function outrun(again, act) {
  try {
    return await act();
  } catch (error) {
    if (error instanceof Problem && OUTRUN.includes(error.code)) again(notice("wait", winner(error)));
    throw error;
  }
}

function winner({ code, body, message }) {
  if (code !== "decided_meanwhile") return message;
  const values = { who: body.operator ?? t("case.somebody"), time: clock(body.decided_at), outcome: t(`status.${body.outcome}`) };
  return t("case.meanwhile", values);
}
