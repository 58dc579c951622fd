// Jobs: what waits, what runs and how far it is, and starting a retraining.

import { call, date, h, newKey, t } from "../page.js";
import { again, announce, field, form, notice, table, when } from "../ui.js";

const LOOK_MS = 1000;
const TONES = { done: "good", failed: "bad", cancelled: "wait", running: "wait" };
const ENDED = ["done", "failed", "cancelled"];

const stateTag = (job) => h(`span.tag.${TONES[job.state] ?? ""}`, {}, t(`job.${job.state}`));
const percent = (share) => `${Math.round(100 * share)} %`;
const bar = (job) => h("progress", { max: 1, value: job.progress, "aria-label": t("job.progress") });
const short = (id) => id.slice(-8);

export async function jobs(view) {
  const page = await call("GET", "/v1/jobs?limit=50");
  const list = h("div");
  const draw = (items) => list.replaceChildren(items.length ? table(t("nav.jobs"), [
    [t("job.id"), (job) => h("a.mono", { href: `#/jobs/${job.id}` }, short(job.id))],
    [t("job.kind"), (job) => t(`job.kind_${job.kind}`)],
    [t("job.state"), stateTag],
    [t("job.step"), (job) => job.step],
    [t("job.progress"), (job) => h("div.row", {}, bar(job), percent(job.progress))],
    [t("job.created"), (job) => when(job.created_at)],
    [t("job.actor"), (job) => job.actor],
  ], items) : h("p.muted", {}, t("job.none")));
  draw(page.items);
  view.append(h("h1", {}, t("nav.jobs")), h("section.card", {}, list), newRetraining());
  return poll(async () => draw((await call("GET", "/v1/jobs?limit=50")).items));
}

function newRetraining() {
  const start = async ({ recipe, data, enrolled, name, groups }) => {
    const places = data.split("\n").map((line) => line.trim()).filter(Boolean);
    const params = { recipe, data: places, enrolled: Boolean(enrolled), ...(name ? { name } : {}), ...(groups ? { groups } : {}) };
    const made = await call("POST", "/v1/jobs", { json: { kind: "retrain", params }, key: newKey() });
    location.hash = `#/jobs/${made.id}`;
  };
  return h("section.card.stack", {}, h("h2", {}, t("job.new")), h("p.muted", {}, t("job.new_help")),
    form([
      field("recipe", t("job.recipe"), { required: true, value: "retrain", maxlength: 200 }),
      field("name", t("job.name"), { maxlength: 64, pattern: "[a-z0-9][a-z0-9._\\-]*" }),
      h("label.wide", {}, t("job.data"), h("textarea", { name: "data", rows: 2, placeholder: "/faces" })),
      h("label.wide", {}, t("job.groups"), h("input", { name: "groups", maxlength: 1000 })),
      h("label.check.wide", {}, h("input", { type: "checkbox", name: "enrolled" }), t("job.enrolled")),
    ], t("job.start"), start));
}

export async function job(view, id) {
  const head = h("div");
  const body = h("div.stack");
  view.append(head, body);
  let last = "";
  const draw = (one) => {
    head.replaceChildren(h("h1", {}, `${t(`job.kind_${one.kind}`)} ${short(one.id)}`), h("p.muted", {}, `${date(one.created_at)} · ${one.actor}`));
    body.replaceChildren(...[state(one), failure(one), result(one), figures(one), logOf(one), parameters(one)].filter(Boolean));
    const now = `${one.state} ${one.step}`;
    if (last && now !== last) announce(t("job.moved", { state: t(`job.${one.state}`), step: one.step ?? "" }));
    last = now;
    return ENDED.includes(one.state);
  };
  if (draw(await call("GET", `/v1/jobs/${id}`))) return undefined;
  return poll(async () => draw(await call("GET", `/v1/jobs/${id}`)));
}

function state(one) {
  const cancel = async () => {
    try {
      await call("POST", `/v1/jobs/${one.id}/cancel`);
    } catch (error) {
      if (error.code !== "job_ended") throw error;
    }
    again();
  };
  const open = !ENDED.includes(one.state);
  return h("section.card.stack", { "data-state": one.state },
    h("div.row.between", {}, h("div.row", {}, stateTag(one), h("strong", {}, one.step ?? "")),
      open && !one.cancel_requested_at ? h("button.bad", { type: "button", onclick: cancel }, t("job.cancel")) : null),
    h("div.row", {}, h("progress", { max: 1, value: one.progress, style: "flex:1;min-width:160px", "aria-label": t("job.progress") }), percent(one.progress)),
    open && one.cancel_requested_at ? h("p.muted", {}, t("job.cancelling")) : null,
    one.state === "queued" ? h("p.muted", {}, t("job.waiting")) : null,
    h("p.muted.small", {}, [one.worker, one.started_at && `${t("job.started")} ${date(one.started_at)}`, one.ended_at && `${t("job.ended")} ${date(one.ended_at)}`].filter(Boolean).join(" · ")));
}

const failure = (one) => one.error && notice("bad", h("strong", {}, t("job.failed_in", { step: one.error.step ?? "" })), h("p", {}, one.error.detail));

function result(one) {
  if (!one.result) return null;
  const rows = ["model_id", "bundle", "report", "review"].filter((name) => one.result[name]);
  return h("section.card.stack", {}, h("h2", {}, t("job.result")),
    h("dl.facts", {}, rows.flatMap((name) => [h("dt", {}, t(`job.${name}`)), h("dd.mono", { style: "overflow-wrap:anywhere;margin:0" }, one.result[name])])),
    one.result.nothing_better ? notice("wait", h("p", {}, t("job.nothing_better"))) : null,
    one.result.gate && !one.result.nothing_better ? h("div", {}, h("a.button.primary", { href: `#/models/${one.result.model_id}` }, t("job.to_model"))) : null);
}

function figures(one) {
  const rows = flat(one.metrics);
  if (!rows.length) return null;
  return h("section.card.stack", {}, h("h2", {}, t("job.metrics")),
    h("dl.facts", {}, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd.mono", { style: "margin:0" }, value)])));
}

/** {losses: {triplet: 0.5}} → [["losses triplet", "0.5"]] */
function flat(value, before = "") {
  if (value === null || typeof value !== "object") {
    return before ? [[before, typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value)]] : [];
  }
  return Object.entries(value).flatMap(([name, inner]) => flat(inner, before ? `${before} ${name}` : name));
}

const logOf = (one) => h("section.card.stack", {}, h("h2", {}, t("job.log")),
  one.log.length ? h("pre", { id: "log", tabindex: 0 }, one.log.join("\n")) : h("p.muted", {}, t("job.no_log")));

const parameters = (one) => h("details.card", {}, h("summary", {}, t("job.params")), h("pre", {}, JSON.stringify(one.params, null, 2)));

/** Look again every second until `look` says that it is enough; a lost answer is no reason to stop. */
function poll(look) {
  let running = true;
  (async () => {
    while (running) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      if (!running || document.hidden) continue;
      try {
        if (await look()) return;
      } catch {
        // The next look may succeed.
      }
    }
  })();
  return () => {
    running = false;
  };
}
