// Keys of machines: which there are, making one, ending one.

import { all, call, date, h, newKey, t } from "../page.js";
import { again, asking, field, form, once, table, when } from "../ui.js";

const SCOPES = ["verify", "search", "enrol", "subjects:read", "scores:read", "exams:write", "checkin", "override", "audit:read", "models:write", "jobs:run", "admin"];

/** @typedef {import("api").components["schemas"]["KeyDocument"]} Key */

/** @param {Key} key */
const stateOf = (key) => (key.revoked_at ? "revoked" : key.expires_at && new Date(key.expires_at) <= new Date() ? "expired" : "valid");

export async function keys(view) {
  const known = (await all("/v1/keys")).reverse();
  const valid = known.filter((key) => stateOf(key) === "valid");
  const gone = known.filter((key) => stateOf(key) !== "valid");
  const made = h("div");
  const list = h("section.card");
  const draw = () => list.replaceChildren(valid.length ? tableOf(valid, true) : h("p.muted", {}, t("keys.none")));
  const create = async ({ name, until }, event) => {
    const scopes = [...event.target.querySelectorAll("input[name=scope]:checked")].map((box) => box.value);
    if (!scopes.length) throw new Error(t("keys.no_scope"));
    const json = { name, scopes, expires_at: until ? new Date(`${until}T23:59:59`).toISOString() : null };
    const key = await call("POST", "/v1/keys", { json, key: newKey() });
    event.target.reset();
    made.replaceChildren(once("new-key", key.key, t("keys.once", { name: key.name })));
    valid.unshift(key);
    draw();
  };
  draw();
  view.append(
    h("div", {}, h("h1", {}, t("nav.keys")), h("p.muted", {}, t("keys.help"))),
    list,
    h("section.card.stack", { "aria-labelledby": "new" }, h("h2", { id: "new" }, t("keys.new")),
      form([
        field("name", t("keys.name"), { required: true, maxlength: 100 }),
        field("until", t("keys.until"), { type: "date" }),
        h("fieldset.wide.stack", {}, h("legend", {}, t("keys.scopes")), h("div.scopes", {}, SCOPES.map((scope) =>
          h("label.check", {}, h("input", { type: "checkbox", name: "scope", value: scope }), h("span", {}, h("span.mono", {}, scope), h("span.muted.small.block", {}, t(`scope.${scope}`))))))),
      ], t("keys.create"), create), made),
    gone.length ? h("details", {}, h("summary", {}, t("keys.gone", { n: gone.length })), tableOf(gone, false)) : "",
  );
}

const tableOf = (some, open) => table(t("nav.keys"), [
  [t("people.name"), (key) => h("div", {}, key.name, h("div.muted.small.mono", {}, key.prefix))],
  [t("keys.scopes"), (key) => (key.session_id ? h("span.tag", {}, t("keys.kiosk")) : key.scopes.join(" "))],
  [t("keys.last"), (key) => (key.last_used_at ? when(key.last_used_at) : t("keys.never"))],
  [t("keys.ends"), (key) => (key.revoked_at ? t("keys.revoked", { date: date(key.revoked_at) }) : key.expires_at ? when(key.expires_at) : t("keys.no_end"))],
  ...(open ? [[t("keys.revoke"), revoking]] : []),
], some);

/** @param {Key} key */
const revoking = (key) => asking(t("keys.revoke"), t("keys.revoke_sure", { name: key.name }), async () => {
  await call("DELETE", `/v1/keys/${key.id}`);
  again();
});
