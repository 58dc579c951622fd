// The rules of a session: until when people come in, and when nobody goes out.

import { call, t } from "../page.js";
import { again, choice, field, form } from "../ui.js";

const MINUTES = ["no_exit_first_minutes", "no_exit_last_minutes"];
export const RULES = ["last_entry_minutes", "late_entry", ...MINUTES, "no_entry_after_exit"];

const minutes = (one, name, attributes = {}) =>
  field(name, t(`rule.${name}`), { type: "number", min: 0, max: 1440, value: one[name] ?? "", ...attributes });
const pick = (one, name, values) => {
  const made = choice(name, t(`rule.${name}`), values.map((value) => [value, t(`rule.${name}_${value}`)]));
  made.querySelector("select").value = String(one[name]);
  return made;
};

/** @param {import("api").components["schemas"]["Session"]} one */
export function rulesForm(one) {
  const save = async (values) => {
    const json = {
      ...Object.fromEntries(MINUTES.map((name) => [name, Number(values[name])])),
      last_entry_minutes: values.last_entry_minutes === "" ? null : Number(values.last_entry_minutes),
      late_entry: values.late_entry,
      no_entry_after_exit: values.no_entry_after_exit === "true",
    };
    await call("PATCH", `/v1/sessions/${one.id}`, { json });
    again();
  };
  return form([
    minutes(one, "last_entry_minutes"),
    pick(one, "late_entry", ["reason", "never"]),
    pick(one, "no_entry_after_exit", ["false", "true"]),
    ...MINUTES.map((name) => minutes(one, name, { required: true })),
  ], t("exam.save"), save);
}
