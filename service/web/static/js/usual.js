// The document that people of a room usually show: whoever looks at one after the other names it once.

import { call, h, t } from "./page.js";
import { DOCUMENTS } from "./decisions.js";

const NAME = "invigil-usual-document";

export function usual() {
  try {
    const kept = localStorage.getItem(NAME);
    return kept !== null && DOCUMENTS.includes(kept) && kept !== "other" ? kept : "student_card";
  } catch {
    return "student_card";
  }
}

/** The field that names it; `changed` is called with nothing. */
export function usualField(changed = () => {}) {
  const field = h("select", { id: "usual-document" }, DOCUMENTS.filter((one) => one !== "other").map((one) =>
    h("option", { value: one, selected: one === usual() }, t(`document.${one}`))));
  field.addEventListener("change", () => {
    try {
      localStorage.setItem(NAME, field.value);
    } catch {
      // Denied or full: the first one it is.
    }
    changed();
  });
  return h("label.check", {}, t("usual.document"), field);
}

/** Let somebody in whose usual document was seen. */
export const identify = (session, person) =>
  call("POST", `/v1/sessions/${session.id}/identifications`, { json: { candidate: person.external_id, document_type: usual() } });
