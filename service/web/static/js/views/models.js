// Models: which there are, how a candidate compares with the one in use, promoting it and going back.

import { call, h, may, newKey, setTitle, t } from "../page.js";
import { again, field, form, notice, table, when } from "../ui.js";
import { modelShadow } from "./shadow.js";
import { modelUse } from "./use.js";

const TONES = { active: "good", candidate: "wait", incoming: "wait" };
const stateTag = (model) => h(`span.tag.${TONES[model.state] ?? ""}`, {}, t(`model.${model.state}`));
const mayWrite = () => may("models:write");
const share = (value) => (value === null || value === undefined ? "–" : `${(100 * value).toFixed(2)} %`);
const range = (interval, show) => (interval ? `${show(interval[0])} … ${show(interval[1])}` : "–");

export async function models(view) {
  const { items } = await call("GET", "/v1/models");
  view.append(
    h("h1", {}, t("nav.models")),
    h("section.card", {}, table(t("nav.models"), [
      [t("model.name"), (model) => h("a", { href: `#/models/${model.id}` }, model.name)],
      [t("model.state"), stateTag],
      [t("model.gate"), (model) => (model.gate ? verdict(model.gate) : "–")],
      [t("model.registered"), (model) => when(model.registered_at)],
      [t("model.activated"), (model) => model.activated_at && when(model.activated_at)],
      [t("model.id"), (model) => h("span.mono.small", {}, model.id.slice(0, 19))],
    ], items.slice().reverse())),
    items.some((model) => model.state === "retired" && model.activated_at) ? rollback() : "",
  );
}

function rollback() {
  if (!mayWrite()) return h("div", { hidden: true });
  const back = async ({ reason }) => {
    await call("POST", "/v1/models/rollback", { json: forced(reason), key: newKey(), timeout: 600000 });
    again();
  };
  return h("section.card.stack", {}, h("h2", {}, t("model.roll_back")), h("p.muted", {}, t("model.roll_back_help")), form([whyNow()], t("model.roll_back"), back, "plain"));
}

// While a session is open a switch has to wait, unless somebody says why it cannot.
const whyNow = () => field("reason", t("model.why_now"), { maxlength: 500 });
const forced = (reason) => (reason ? { force: true, reason } : {});

const verdict = (gate) => h(`span.tag.${gate.verdict === "worse" ? "bad" : "good"}`, {}, t(`model.${gate.verdict}`));

const tabs = { about, use: modelUse, shadow: modelShadow };

export async function model(view, id, tab = "about") {
  const one = await call("GET", `/v1/models/${id}`);
  const shown = tab in tabs ? tab : "about";
  const body = h("div.stack");
  view.append(
    h("div", {}, h("h1", {}, one.name), h("div.row", {}, stateTag(one), h("span.mono.small", { style: "overflow-wrap:anywhere" }, one.id))),
    h("nav.tabs", { "aria-label": t("model.tabs") }, Object.keys(tabs).map((name) =>
      h("a", { href: `#/models/${id}/${name}`, "aria-current": name === shown && "page" }, t(`model.tab_${name}`)))),
    body);
  setTitle(t(`model.tab_${shown}`), one.name);
  return tabs[shown](body, one);
}

function about(view, one) {
  view.append(...[gateOf(one), one.state === "active" || one.state === "incoming" ? null : promotion(one), inUse(one)].filter(Boolean));
}

function gateOf(one) {
  const gate = one.gate;
  if (!gate) return h("section.card", {}, h("h2", {}, t("model.gate")), h("p.muted", {}, t("model.no_gate")));
  return h("section.card.stack", {}, h("h2", {}, t("model.gate")),
    notice(gate.verdict === "worse" ? "bad" : "good", h("strong", {}, t(`model.${gate.verdict}`)),
      gate.worse_in.length ? h("ul", {}, gate.worse_in.map((what) => h("li", {}, what))) : null),
    h("p.muted", {}, t("model.gate_help", { identities: gate.identities, pictures: gate.pictures })),
    table(t("model.gate"), [
      ["FMR", (row) => row.fmr],
      [t("model.incumbent"), (row) => side(row.incumbent)],
      [t("model.candidate_fnmr"), (row) => side(row.candidate)],
      [t("model.difference"), (row) => `${share(row.difference.fnmr)} (${range(row.difference.interval, share)})`],
      ["", (row) => (row.worse ? h("span.tag.bad", {}, t("model.worse")) : "")],
    ], gate.rates ?? []),
    gate.groups?.length ? groups(gate.groups) : null,
    h("dl.facts", {}, cost(gate)));
}

const side = (one) => `${share(one.fnmr)} (${range(one.interval, share)})`;

const groups = (found) => table(t("model.groups"), [
  [t("model.group"), (row) => row.group],
  [t("model.people"), (row) => row.identities],
  ["FMR", (row) => row.fmr],
  [t("model.incumbent"), (row) => share(row.incumbent?.fnmr)],
  [t("model.candidate_fnmr"), (row) => share(row.candidate?.fnmr)],
  ["", (row) => (row.worse?.length ? h("span.tag.bad", {}, t("model.worse")) : "")],
], found.flatMap((group) => group.rates.map((rate) => ({ ...rate, group: group.group, identities: group.identities }))));

function cost({ speed, size }) {
  const rows = [];
  if (speed) rows.push([t("model.speed"), `${speed.incumbent.toFixed(0)} → ${speed.candidate.toFixed(0)}`]);
  if (size) rows.push([t("model.size"), `${(size.incumbent / 1e6).toFixed(1)} → ${(size.candidate / 1e6).toFixed(1)} MB`]);
  return rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", { style: "margin:0" }, value)]);
}

function promotion(one) {
  if (!mayWrite()) return null;
  const good = one.gate?.verdict === "not_worse";
  const promote = async ({ override_reason, reason }) => {
    const json = { ...(override_reason ? { override_reason } : {}), ...forced(reason) };
    await call("POST", `/v1/models/${one.id}/promote`, { json, key: newKey(), timeout: 600000 });
    location.hash = "#/models";
  };
  return h("section.card.stack", {}, h("h2", {}, t("model.promote")), h("p.muted", {}, t("model.promote_help")),
    h("p", {}, h("a", { href: `#/models/${one.id}/shadow` }, t("shadow.before"))),
    good ? null : notice("wait", t("model.override_help")),
    form([...(good ? [] : [field("override_reason", t("model.override_reason"), { required: true, maxlength: 500 })]), whyNow()],
      t("model.promote"), promote, good ? "primary" : "bad"));
}

function inUse(one) {
  if (!one.in_use) return null;
  const use = one.in_use;
  return h("section.card.stack", {}, h("h2", {}, t("model.in_use")),
    h("p.muted", {}, t("model.calibrated_on", { identities: use.calibration.identities, non_mated: use.calibration.non_mated })),
    use.targets && table(t("model.in_use"), [
      ["FMR", (row) => row.fmr],
      [t("model.threshold"), (row) => row.threshold.toFixed(3)],
      ["95 %", (row) => range(row.threshold_interval, (value) => value.toFixed(3))],
      ["FNMR", (row) => share(row.fnmr)],
    ], use.targets));
}
