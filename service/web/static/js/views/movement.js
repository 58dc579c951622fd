// Going out, coming back and leaving by hand, in the drawer of a candidate; and taking the newest of it back.

import { all, call, clock, h, t } from "../page.js";
import { choice, field, form } from "../ui.js";
import { DOCUMENTS } from "../decisions.js";

const nameOf = (person) => person.display_name ?? person.external_id;

/** The times outside, one behind the other; nothing where there were none. */
export function absences(person) {
  if (!person.absences.length) return null;
  const times = person.absences.map(({ since, until }) => `${clock(since)}–${until ? clock(until) : ""}`).join(", ");
  return h("p.muted.small", { id: "absences" }, t("drawer.absences", { times }));
}

/** The forms for whoever was let in; `done` says what was recorded. */
export async function movement(session, person, done) {
  const past = (await all(`/v1/sessions/${session.id}/movements?external_id=${encodeURIComponent(person.external_id)}`)).filter((one) => one.kind !== "undo" && !one.undone);
  const record = async (json) => {
    await call("POST", `/v1/sessions/${session.id}/movements`, { json: { candidate: person.external_id, ...json } });
    done(t("board.went", { name: nameOf(person), where: t(`movement.${json.kind}`) }));
  };
  const early = () => field("reason", t("drawer.reason_early"), { minlength: 3, maxlength: 500 });
  const move = (kind) => form([early()], t(`drawer.${kind}_now`), ({ reason }) => record({ kind, ...(reason ? { reason } : {}) }), kind === "end" ? "plain" : "primary");
  const back = () => form([choice("document_type", t("case.document"), DOCUMENTS.map((one) => [one, t(`document.${one}`)]))], t("drawer.return_now"), (values) => record({ kind: "return", ...values }));
  return [
    h("h3", {}, t("drawer.movement")),
    person.presence === "present" ? h("div.stack", {}, h("p", {}, t("drawer.exit")), move("exit")) : null,
    person.presence === "out" ? h("div.stack", {}, h("p", {}, t("drawer.return")), back()) : null,
    person.presence === "left" ? null : h("div.stack", {}, h("p", {}, t("drawer.end")), move("end")),
    past.length ? undo(person, past[0], done) : null,
  ].filter(Boolean);
}

function undo(person, newest, done) {
  const what = t("drawer.undo", { what: t(`movement.${newest.kind}`), time: clock(newest.at) });
  return h("div.stack", {}, h("p", {}, what), form([field("reason", t("case.reason"), { required: true, minlength: 3, maxlength: 500 })], t("drawer.undo_now"), async ({ reason }) => {
    await call("POST", `/v1/movements/${newest.id}/undo`, { json: { reason } });
    done(`${nameOf(person)}: ${what}`);
  }, "plain"));
}
