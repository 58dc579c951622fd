// A seat's drawer: who sits there, what was tried, and everything that a person can do about it.

import { all, call, clock, h, may, t } from "../page.js";
import { choice, field, form, needText, notice, tag, toast } from "../ui.js";
import { faces } from "../faces.js";
import { decisionForm, documentForm } from "../decisions.js";
import { heldText } from "./held.js";
import { absences, movement } from "./movement.js";

const LET_IN = ["admitted", "identified_manually"];

/**
 * @param {any} session
 * @param {any} person
 * @param {{needs: () => string[], closed: () => void, decided: () => void}} board
 */
export function openDrawer(session, person, board) {
  const urls = [];
  const body = h("div.stack");
  const dialog = h("dialog.drawer", { "aria-labelledby": "drawer-title" }, body);
  const draw = (...above) => fill(body, session, person, board.needs(), { done, again: draw, close: () => dialog.close(), urls }, above);
  const done = (text) => {
    toast(text);
    dialog.close();
    board.decided();
  };
  dialog.addEventListener("close", () => {
    dialog.remove();
    urls.forEach((url) => URL.revokeObjectURL(url));
    board.closed();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  // Drawn first: the focus then begins on what closes it.
  draw();
  dialog.showModal();
  return {
    close: () => dialog.close(),
    /** Somebody else has done something: who is typing keeps what is typed and is told. */
    changed: (other) => {
      if (other.entry_id !== person.entry_id) return;
      person = other;
      const typed = [.../** @type {NodeListOf<any>} */ (dialog.querySelectorAll("input, select[name=reason_code]"))].some((one) => one.value !== (one.defaultValue ?? ""));
      if (!typed) {
        draw();
        dialog.querySelector("button").focus();
      }
      else if (!dialog.querySelector("#drawer-changed")) {
        body.prepend(h("div", { id: "drawer-changed" }, notice("wait", t("drawer.changed", { status: t(`status.${other.status}`) }), " ",
          h("button.plain", { type: "button", onclick: () => draw() }, t("drawer.look_again")))));
      }
    },
  };
}

async function fill(body, session, person, needs, after, above) {
  const name = person.display_name ?? person.external_id;
  const head = [
    h("div.row.between.top", {}, h("div", {}, h("h2", { id: "drawer-title" }, name),
      h("div.muted", {}, `${person.external_id} · ${t("person.seat")} ${person.seat ?? "–"}`)),
      h("button.plain", { type: "button", onclick: after.close }, t("drawer.close"))),
    ...above,
    h("div.row.tight", {}, tag(person.status), ["out", "left"].includes(person.presence) ? h("span.tag", {}, `${t(`presence.${person.presence}`)} ${clock(person.presence_at)}`) : "", person.status_at ? h("span.muted.small", {}, clock(person.status_at)) : "", person.held ? h("span.tag", {}, heldText(person)) : "", person.source === "paper" ? h("span.tag", {}, t("paper.source")) : ""),
    needs.length ? notice("wait", h("ul.needs", {}, needs.map((code) => h("li", {}, needText(code))))) : null,
    absences(person),
    person.extra_minutes ? notice("", t("drawer.extra", { minutes: person.extra_minutes })) : null,
    ...flags(person.flags),
  ].filter(Boolean);
  const place = h("div.stack", {}, h("p.muted", {}, t("drawer.reading")));
  body.replaceChildren(...head, place);
  try {
    const tried = await all(`/v1/sessions/${session.id}/checkins?external_id=${encodeURIComponent(person.external_id)}`);
    // An attempt that named nobody may have been found to be this candidate's.
    const counts = person.checkin_id && (tried.find(({ id }) => id === person.checkin_id) ?? (await call("GET", `/v1/checkins/${person.checkin_id}`)));
    const today = await call("GET", `/v1/sessions/${session.id}/roster/let-in-today?external_id=${encodeURIComponent(person.external_id)}`);
    const moves = person.presence !== "absent" && may("override") ? await movement(session, person, after.done) : [];
    place.replaceChildren(...today.items.map((one) => notice("", t(`drawer.today_${one.outcome}`, { ...one, time: clock(one.at) }))), ...(counts ? [faces(counts, after.urls)] : []), ...moves, ...attempts(session, tried), ...actions(session, person, counts, needs, after));
  } catch (error) {
    place.replaceChildren(notice("bad", error.message));
  }
}

function flags({ twin, manual_identification, private_check, accommodation }) {
  return [
    private_check && notice("wait", t("drawer.apart")),
    twin && notice("wait", t("drawer.twin")),
    manual_identification && notice("", t("drawer.by_document")),
    accommodation && notice("", `${t("flag.accommodation")}: ${accommodation}`),
  ].filter(Boolean);
}

function attempts(session, tried) {
  const title = h("h3", {}, t("drawer.attempts", { n: tried.length }));
  if (!tried.length) return [title, h("p.muted", {}, t("attempts.none_of"))];
  return [title, h("ol.attempts", {}, tried.map((one) => h("li", {},
    h("a", { href: `#/sessions/${session.id}/case/${one.id}` }, [clock(one.taken_at ?? one.created_at), one.source === "paper" && t("paper.source"), one.kind !== "entry" && t(`attempts.${one.kind}`), t(`mode.${one.mode}`)].filter(Boolean).join(" · ")), " ",
    one.superseded_by ? h("span.muted.small", {}, t("status.superseded")) : tag(one.effective_outcome))))];
}

function actions(session, person, attempt, needs, after) {
  if (!may("override")) return [];
  const isIn = LET_IN.includes(person.status);
  const decided = (outcome) => after.done(t("drawer.done", { name: person.display_name ?? person.external_id, status: t(`status.${outcome}`) }));
  const hooks = { done: decided, again: after.again };
  const section = (id, title, open, ...children) =>
    h("details.action", { id, open }, h("summary", {}, title), h("div.stack", {}, ...children));
  return [
    isIn ? null : section("drawer-identify", t("case.identify"), !attempt, h("p.muted.small", {}, t("case.identify_help")), documentForm(session, person.external_id, hooks)),
    attempt ? section("drawer-decide", t(person.status === "referred" ? "case.decide" : "drawer.correct"), !isIn, decisionForm(session, attempt, hooks)) : null,
    section("drawer-seat", t("drawer.move"), false, form([field("seat", t("drawer.new_seat"), { required: true, maxlength: 64 })], t("drawer.move_now"),
      async ({ seat }) => {
        await change(session, person, { seat });
        after.done(t("drawer.moved", { name: person.display_name ?? person.external_id, seat }));
      })),
    isIn || person.status === "refused" ? null : section("drawer-attempt", t("drawer.attempt"), needs.includes("attempts_exhausted"),
      h("p.muted.small", {}, t("drawer.attempt_help", { made: person.attempts, allowed: person.attempts_allowed })),
      form([field("reason", t("case.reason"), { required: true, minlength: 3, maxlength: 500 })], t("drawer.attempt_now"), async ({ reason }) => {
        await change(session, person, { extra_attempts: person.attempts_allowed - session.attempts_allowed + 1, reason });
        after.done(t("drawer.allowed", { name: person.display_name ?? person.external_id }));
      })),
    section("drawer-extra", t("extra.title"), false, h("p.muted.small", {}, t("extra.help")), extraForm(session, person, after.done)),
    section("drawer-apart", t("apart.title"), false, h("p.muted.small", {}, t("apart.help")),
      form([choice("private_check", t("apart.title"), [["true", t("apart.yes")], ["false", t("apart.no")]])], t("apart.set"), async ({ private_check }) => {
        await change(session, person, { private_check: private_check === "true" });
        after.done(t("apart.done", { name: person.display_name ?? person.external_id }));
      })),
    section("drawer-twin", t("drawer.mark"), false, h("p.muted.small", {}, t("drawer.mark_help")),
      form([
        choice("twin", t("drawer.mark_as"), [["true", t("drawer.is_twin")], ["false", t("drawer.no_twin")]]),
        field("reason", t("case.reason"), { required: true, minlength: 3, maxlength: 500 }),
      ], t("drawer.mark_now"), async ({ twin, reason }) => {
        await change(session, person, { twin: twin === "true", reason });
        after.done(t("drawer.marked", { name: person.display_name ?? person.external_id }));
      })),
  ].filter(Boolean);
}

/** The form that sets a candidate's extra time; `done` gets the sentence that says so. */
export function extraForm(session, person, done) {
  const minutes = field("extra_minutes", t("extra.minutes"), { type: "number", min: 0, max: 600, required: true, value: person.extra_minutes });
  return form([minutes, field("reason", t("case.reason"), { required: true, minlength: 3, maxlength: 500 })], t("extra.set"), async (values) => {
    const changed = await change(session, person, { extra_minutes: Number(values.extra_minutes), reason: values.reason });
    done(t("extra.done", { name: person.display_name ?? person.external_id, n: changed.extra_minutes }));
  });
}

const change = (session, person, json) =>
  call("PATCH", `/v1/sessions/${session.id}/candidates/${encodeURIComponent(person.external_id)}`, { json });
