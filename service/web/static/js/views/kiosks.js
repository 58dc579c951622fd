// The kiosks of a session: let in by the code on their screen, seen, named and ended.

import { call, clock, date, h, setTitle, t } from "../page.js";
import { again, asking, choice, field, form, notice, table, when } from "../ui.js";
import { current } from "./home.js";

/** @typedef {import("api").components["schemas"]["Kiosk"]} Kiosk */

const REFRESH_MS = 10000;
const TONES = { here: "good", away: "wait", ended: "" };

/**
 * @param {HTMLElement} view
 * @param {import("api").components["schemas"]["Session"]} one
 */
export async function kiosks(view, one) {
  const list = h("section.card.stack", { id: "kiosks" });
  const draw = async () => {
    const { items } = await call("GET", `/v1/sessions/${one.id}/kiosks`);
    // Whoever is about to end or name one keeps what they have begun.
    if (list.contains(document.activeElement) && document.activeElement !== document.body && list.childElementCount) return;
    list.replaceChildren(h("h2", {}, t("kiosks.title")), items.length ? kioskTable(one, items) : h("p.muted", {}, t("kiosks.none")));
  };
  view.append(
    h("section.card.stack", {}, h("h2", {}, t("kiosks.add")), h("p", {}, t("kiosks.add_help", { address: `${location.host}/kiosk` })), pairing([one])),
    list, keyCard(one));
  await draw();
  const ticking = setInterval(() => draw().catch(() => {}), REFRESH_MS);
  return () => clearInterval(ticking);
}

/** @param {Kiosk[]} items */
function kioskTable(one, items) {
  const path = (row) => `/v1/sessions/${one.id}/kiosks/${row.id}`;
  const rename = (row) => form([field("name", t("kiosk_key.name"), { required: true, maxlength: 100, value: row.name })], t("kiosks.rename"), async ({ name }) => {
    await call("PATCH", path(row), { json: { name } });
    again();
  }, "plain");
  return table(t("kiosks.title"), [
    [t("kiosk_key.name"), (row) => h("details", {}, h("summary", {}, row.name), row.state === "ended" ? null : rename(row))],
    [t("kiosks.state"), (row) => h(`span.tag.${TONES[row.state]}`, {}, t(`kiosks.${row.state}`))],
    [t("kiosks.seen"), (row) => (row.seen_at ? when(row.seen_at, clock) : t("kiosks.never"))],
    [t("kiosks.camera"), (row) => (row.camera ? t(`kiosks.camera_${row.camera}`) : "–")],
    [t("kiosks.battery"), (row) => (row.battery === null ? "–" : `${Math.round(100 * row.battery)} %${row.charging ? " ⚡" : ""}`)],
    ["", (row) => (row.state === "ended" ? "" : asking(t("kiosks.end"), t("kiosks.end_sure", { name: row.name }), async () => {
      await call("DELETE", path(row));
      again();
    }))],
  ], items);
}

/** The code first, then which tablet shows it, and only then yes. */
function pairing(sessions, code = "") {
  const place = h("div.stack");
  const look = async (given) => {
    const asks = await call("POST", "/v1/kiosk-codes/look", { json: { code: given.code } });
    place.replaceChildren(
      notice("", t("kiosks.asks", { address: asks.address ?? "–", agent: asks.agent ?? "–", time: clock(asks.asked_at) })),
      form([
        ...(sessions.length > 1 ? [choice("session", t("kiosks.session"), sessions.map((one) => [one.id, `${one.room} · ${one.exam_name} · ${date(one.opens_at)}`]))] : []),
        field("name", t("kiosk_key.name"), { required: true, maxlength: 100, value: t("kiosk_key.example") }),
      ], t("kiosks.confirm"), async ({ session = sessions[0].id, name }) => {
        const made = await call("POST", `/v1/sessions/${session}/kiosks`, { json: { code: given.code, name } });
        place.replaceChildren(notice("good", t("kiosks.added", { name: made.name, until: clock(made.expires_at) })), ask());
      }));
  };
  const ask = () => form([field("code", t("kiosks.code"), { required: true, minlength: 8, maxlength: 12, autocomplete: "off", autocapitalize: "characters", spellcheck: "false", placeholder: "ABCD EFGH" })], t("kiosks.look"), look);
  place.append(ask());
  if (code) look({ code }).catch((error) => place.prepend(notice("bad", error.message)));
  return place;
}

/** The address in a kiosk's QR code: for which session, and yes. */
export async function pair(view, code) {
  setTitle(t("kiosks.add"));
  const { sessions } = await current();
  const usable = sessions.filter((one) => one.state !== "closed").sort((a, b) => a.opens_at.localeCompare(b.opens_at));
  view.append(h("h1", {}, t("kiosks.add")),
    usable.length ? h("section.card", {}, pairing(usable, code)) : notice("wait", t("home.no_sessions")));
}

function keyCard(one) {
  const shown = h("div");
  const create = async ({ name }) => {
    const made = await call("POST", `/v1/sessions/${one.id}/kiosk-keys`, { json: { name } });
    const link = `${location.origin}/kiosk#key=${made.key}`;
    shown.replaceChildren(notice("good",
      h("p", {}, t("kiosk_key.once", { until: clock(made.expires_at) })),
      h("p.big-key.mono", { id: "kiosk-key" }, made.key),
      h("a.button.primary", { href: link, target: "_blank", rel: "noopener" }, t("kiosk_key.open"))));
  };
  return h("section.card.stack", {}, h("h2", {}, t("kiosk_key.title")), h("p", {}, t("kiosk_key.help")),
    form([field("name", t("kiosk_key.name"), { required: true, maxlength: 100, value: t("kiosk_key.example") })], t("kiosk_key.create"), create), shown);
}
