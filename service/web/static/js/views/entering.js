// Before somebody is signed in: by name and password, by a key, or by the link of an invitation.

import { call, facts, h, signIn, signInAs, t } from "../page.js";
import { field, form, notice } from "../ui.js";

const card = (title, ...children) =>
  h("section.card.stack.entering", {}, h("h1", {}, title), ...children);

const enter = () => {
  history.replaceState(null, "", "#/");
  location.reload();
};

/** Where somebody signs in. The rest of the address is kept: it is where they go next. */
export function showSignIn(view) {
  let wantsCode = false;
  const code = h("label", { hidden: true }, t("enter.code"),
    h("input", { name: "code", inputmode: "numeric", autocomplete: "one-time-code", maxlength: 10 }));
  const byName = form([
    field("login", t("enter.login"), { required: true, autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: 100 }),
    field("password", t("enter.password"), { type: "password", required: true, autocomplete: "current-password", maxlength: 256 }),
    code,
  ], t("console.enter"), async (values) => {
    try {
      await signInAs(values.login, values.password, wantsCode ? values.code.replace(/\s/g, "") : "");
    } catch (error) {
      if (error.code !== "code_needed" || wantsCode) throw error;
      wantsCode = true;
      code.hidden = false;
      code.querySelector("input").required = true;
      code.querySelector("input").focus();
      return;
    }
    location.reload();
  });
  const byKey = form([h("label", { for: "key" }, t("console.key"), h("input", { id: "key", name: "key", type: "password", autocomplete: "off", required: true }))],
    t("enter.by_key_enter"), async (values) => {
      await signIn(values.key);
      location.reload();
    }, "plain");
  const byIssuer = facts.issuer ? [h("a.button.primary", { href: "/login/issuer" }, t("enter.by_issuer", { issuer: facts.issuer })), h("p.muted.small", {}, t("enter.or"))] : [];
  view.replaceChildren(card(t("console.sign_in"), ...byIssuer, byName, h("p.muted.small", {}, t("enter.forgotten")),
    h("details", {}, h("summary", {}, t("enter.by_key")), h("p.muted.small", {}, t("console.sign_in_help")), byKey)));
  /** @type {HTMLElement} */ (view.querySelector("a.primary, input")).focus();
}

/** The page behind the link of an invitation or a reset; looking at it uses nothing up. */
export async function showJoin(view, token) {
  let invitation;
  try {
    invitation = await call("POST", "/join/look", { json: { token } });
  } catch (error) {
    view.replaceChildren(card(t("join.title"), notice("bad", error.message), h("a", { href: "#/", onclick: enter }, t("join.to_sign_in"))));
    return;
  }
  const send = async ({ name, login, password, again }) => {
    if (password !== again) throw new Error(t("join.differ"));
    await call("POST", "/join", { json: { token, password, name, ...(invitation.is_first ? { login } : {}) } });
    enter();
  };
  view.replaceChildren(card(t(invitation.is_first ? "join.first" : "join.title"),
    h("p.muted", {}, invitation.is_first ? t("join.first_help") : t("join.help", { role: t(`role.${invitation.role}`) })),
    facts.name ? notice("wait", t("join.other", { name: facts.name })) : null,
    form([
      field("name", t("join.name"), { required: true, maxlength: 100, autocomplete: "name", value: invitation.name ?? "" }),
      field("login", t("enter.login"), { required: true, maxlength: 100, autocomplete: "username", autocapitalize: "none", value: invitation.login ?? "", readonly: !invitation.is_first }),
      field("password", t("enter.password"), { type: "password", required: true, minlength: 15, maxlength: 256, autocomplete: "new-password", "aria-describedby": "rules" }),
      field("again", t("join.again"), { type: "password", required: true, maxlength: 256, autocomplete: "new-password" }),
      h("p.muted.small.wide", { id: "rules" }, t("join.rules")),
    ], t("join.enter"), send)));
  view.querySelector("input").focus();
}
