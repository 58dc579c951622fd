// Webhooks: which addresses are called about what, what became of the messages, and calling one more.

import { all, call, date, h, newKey, t } from "../page.js";
import { again, asking, field, form, notice, once, table, when } from "../ui.js";

const EVENTS = ["checkin.admitted", "checkin.referred", "checkin.overridden", "subject.erased", "model.promoted", "model.drifted"];
const SHOWN = 20;

/** @typedef {import("api").components["schemas"]["WebhookDocument"]} Webhook */
/** @typedef {import("api").components["schemas"]["DeliveryDocument"]} Delivery */

export async function webhooks(view) {
  const known = await all("/v1/webhooks");
  const made = h("div");
  const shown = await Promise.all(known.map(card));
  const add = async ({ url }, event) => {
    const events = [...event.target.querySelectorAll("input[name=event]:checked")].map((box) => box.value);
    if (!events.length) throw new Error(t("webhook.no_event"));
    const hook = await call("POST", "/v1/webhooks", { json: { url: url.trim(), events }, key: newKey() });
    event.target.reset();
    made.replaceChildren(once("new-secret", hook.secret, t("webhook.once")));
    list.append(await card(hook));
  };
  const list = h("div.stack", { id: "webhooks" }, shown.length ? shown : h("p.muted", {}, t("webhook.none")));
  view.append(
    h("div", {}, h("h1", {}, t("webhook.title")), h("p.muted", {}, t("webhook.help"))),
    list,
    h("section.card.stack", { "aria-labelledby": "new" }, h("h2", { id: "new" }, t("webhook.new")),
      form([
        field("url", t("webhook.url"), { required: true, type: "url", maxlength: 2000, placeholder: "https://" }),
        h("fieldset.wide.stack", {}, h("legend", {}, t("webhook.events")), h("div.scopes", {}, EVENTS.map((name) =>
          h("label.check", {}, h("input", { type: "checkbox", name: "event", value: name }), h("span", {}, h("span.mono", {}, name), h("span.muted.small.block", {}, t(`webhook.${name}`))))))),
      ], t("webhook.add"), add), made),
  );
}

/** @param {Webhook} hook */
async function card(hook) {
  const page = await call("GET", `/v1/webhooks/${hook.id}/deliveries?limit=${SHOWN}`);
  const path = `/v1/webhooks/${hook.id}`;
  const act = (method, more, json) => async () => {
    await call(method, path + more, { json });
    again();
  };
  const rotate = async () => {
    const made = await call("POST", `${path}/secret`);
    secret.replaceChildren(once(`secret-${hook.id}`, made.secret, t("webhook.once")));
  };
  const secret = h("div", {}, asking(t("webhook.rotate"), t("webhook.rotate_sure"), rotate));
  const button = (text, onclick) => h("button", { type: "button", onclick }, t(text));
  return h("section.card.stack", { "aria-label": hook.url },
    h("h2.mono", { style: "overflow-wrap:anywhere" }, hook.url), h("p.muted.mono.small", {}, hook.events.join(" ")),
    hook.disabled_at ? notice("wait", t(hook.disabled_reason === "gone" ? "webhook.gone" : "webhook.disabled", { date: date(hook.disabled_at) })) : "",
    h("div.row", {},
      hook.disabled_at ? button("webhook.enable", act("PATCH", "", { enabled: true })) : button("webhook.disable", act("PATCH", "", { enabled: false })),
      button("webhook.test", act("POST", "/test")), button("drawer.look_again", again)),
    secret,
    asking(t("webhook.remove"), t("webhook.remove_sure"), act("DELETE", "")),
    h("details", { open: page.items.length > 0 }, h("summary", {}, t("webhook.messages")),
      page.items.length ? messages(page.items, path) : h("p.muted", {}, t("webhook.no_message"))),
  );
}

/** @param {Delivery[]} items @param {string} path */
const messages = (items, path) => table(t("webhook.messages"), [
  [t("audit.when"), (one) => when(one.created_at)],
  [t("audit.what"), (one) => h("code", {}, one.event)],
  [t("people.state"), stateOf],
  [t("webhook.again"), (one) => (one.due_at ? "" : h("button", { type: "button", onclick: async () => {
    await call("POST", `${path}/deliveries/${one.id}/send-again`);
    again();
  } }, t("webhook.again")))],
], items);

/** @param {Delivery} one */
function stateOf(one) {
  if (one.delivered_at) return h("span.tag.good", {}, t("webhook.delivered"));
  const last = one.error ? ` ${t(`webhook.error_${one.error}`)}${one.status ? ` (${one.status})` : ""}` : "";
  if (one.due_at) return h("div", {}, h("span.tag.wait", {}, t("job.queued")), h("div.small", {}, t("webhook.waits", { date: date(one.due_at), n: one.attempts }), last));
  return h("div", {}, h("span.tag.bad", {}, t("webhook.given_up")), last);
}
