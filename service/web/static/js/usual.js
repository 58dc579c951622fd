// The document that people of a room usually show: whoever looks at one after the other names it once.

import { call, h, t } from "./page.js";
import { DOCUMENTS } from "./decisions.js";
import { ofBrowser } from "./kept.js";

const NAME = "invigil-usual-document";

export function usual() {
  const kept = ofBrowser.get(NAME) ?? "";
  return DOCUMENTS.includes(kept) && kept !== "other" ? kept : "student_card";
}

/** The field that names it; `changed` is called with nothing. */
export function usualField(changed = () => {}) {
  const field = h("select", { id: "usual-document" }, DOCUMENTS.filter((one) => one !== "other").map((one) =>
    h("option", { value: one, selected: one === usual() }, t(`document.${one}`))));
  field.addEventListener("change", () => {
    ofBrowser.set(NAME, field.value);
    changed();
  });
  return h("label.check", {}, t("usual.document"), field);
}

/** Let somebody in whose usual document was seen. */
export const identify = (session, person) =>
  call("POST", `/v1/sessions/${session.id}/identifications`, { json: { candidate: person.external_id, document_type: usual() } });
