// One's own account: who one is here, the password, the second factor.

import { call, h, t } from "../page.js";
import { again, field, form, notice, qrCode } from "../ui.js";

export async function account(view) {
  const me = await call("GET", "/v1/me");
  view.append(
    h("div", {}, h("h1", {}, me.name), h("p.muted", {}, me.role ? `${t(`role.${me.role}`)}: ${t(`role.${me.role}_help`)}` : t("account.key"))),
  );
  if (me.has_password) view.append(password(), secondFactor(me));
  else if (me.is_operator) view.append(notice("", t("account.by_issuer")));
}

function password() {
  const done = h("div");
  const send = async ({ former, password: wanted, again: repeated }, event) => {
    if (wanted !== repeated) throw new Error(t("join.differ"));
    await call("PUT", "/v1/me/password", { json: { former, password: wanted } });
    event.target.reset();
    done.replaceChildren(notice("good", t("account.changed")));
  };
  return h("section.card.stack", {}, h("h2", {}, t("account.password")),
    form([
      field("former", t("account.former"), { type: "password", required: true, autocomplete: "current-password" }),
      field("password", t("account.new"), { type: "password", required: true, minlength: 15, maxlength: 256, autocomplete: "new-password" }),
      field("again", t("join.again"), { type: "password", required: true, autocomplete: "new-password" }),
      h("p.muted.small.wide", {}, t("join.rules")),
    ], t("account.save"), send), done);
}

function secondFactor(me) {
  const place = h("div.stack");
  const own = () => field("password", t("enter.password"), { type: "password", required: true, autocomplete: "current-password" });
  const remove = async ({ password: given }) => {
    await call("PUT", "/v1/me/second-factor/removal", { json: { password: given } });
    again();
  };
  const begin = async ({ password: given }) => {
    const made = await call("PUT", "/v1/me/second-factor", { json: { password: given } });
    place.replaceChildren(
      h("p", {}, t("account.factor_type")), qrCode(made.qr, t("account.factor_qr")), h("p.big-key.mono", { id: "secret" }, made.secret.replace(/(.{4})/g, "$1 ").trim()),
      h("p", {}, h("a", { href: made.uri }, t("account.factor_link"))),
      form([field("code", t("enter.code"), { required: true, inputmode: "numeric", autocomplete: "one-time-code", maxlength: 10 })], t("account.factor_confirm"), confirm),
    );
  };
  const confirm = async ({ code }) => {
    await call("PUT", "/v1/me/second-factor/confirmation", { json: { code: code.replace(/\s/g, "") } });
    again();
  };
  place.append(me.has_second_factor ? form([own()], t("account.factor_remove"), remove, "plain") : form([own()], t("account.factor_add"), begin));
  return h("section.card.stack", {}, h("h2", {}, t("account.factor")),
    h("p.muted", {}, t(me.has_second_factor ? "account.factor_on" : "account.factor_off")), place);
}
