// Subjects: find one, add one, enrol from a file or the camera, see templates and their quality.

import { call, date, h, may, newKey, Problem, t } from "../page.js";
import { sendable } from "../pictures.js";
import { frame, guidance, startCamera, stopCamera } from "../camera.js";
import { again, choice, field, form, notice, reasonText, table } from "../ui.js";

export async function subjects(view) {
  const results = h("div.stack");
  const search = async (values = {}) => {
    const found = await find(values.external_id?.trim(), values.legal_basis);
    results.replaceChildren(found.length ? table(t("nav.subjects"), [
      [t("person.number"), (one) => h("a", { href: `#/subjects/${one.id}` }, one.external_id ?? one.id)],
      [t("person.name"), (one) => one.display_name],
      [t("subject.since"), (one) => date(one.created_at)],
      [t("basis.filter"), (one) => basisText(one)],
    ], found) : h("p.muted", {}, t("subject.none")));
  };
  const create = async ({ external_id, display_name }) => {
    const json = { external_id, ...(display_name ? { display_name } : {}) };
    const made = await call("POST", "/v1/subjects", { json, key: newKey() });
    location.hash = `#/subjects/${made.id}`;
  };
  view.append(...[
    h("h1", {}, t("nav.subjects")),
    h("section.card.stack", {}, form([field("external_id", t("subject.search"), { type: "search" }), choice("legal_basis", t("basis.filter"), basisChoices())], t("subject.find"), search), results),
    may("enrol") && h("section.card.stack", {}, h("h2", {}, t("subject.new")),
      form([field("external_id", t("person.number"), { required: true, maxlength: 255 }), field("display_name", t("person.name"), { maxlength: 255 })],
        t("subject.create"), create)),
  ].filter(Boolean));
  await search();
}

const STATES = ["expiring", "expired", "withdrawn", "in_force", "none"];
const basisChoices = () => [["", t("basis.any")], ...STATES.map((state) => [state, t(`basis.${state}`)])];

/** @param {import("api").components["schemas"]["SubjectDocument"]} one */
function basisText(one) {
  const end = one.legal_basis?.expires_at;
  return [t(`basis.${one.legal_basis_state}`), end && t("basis.ends", { date: date(end) })].filter(Boolean).join(" · ");
}

async function find(externalId, basis) {
  if (!externalId) return (await call("GET", `/v1/subjects?limit=50${basis ? `&legal_basis=${basis}` : ""}`)).items;
  try {
    return [await call("GET", `/v1/subjects/ext:${encodeURIComponent(externalId)}`)];
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return [];
    throw error;
  }
}

export async function subject(view, id) {
  const [one, templates] = await Promise.all([call("GET", `/v1/subjects/${id}`), call("GET", `/v1/subjects/${id}/templates`)]);
  const remove = async (template) => {
    await call("DELETE", `/v1/subjects/${id}/templates/${template.id}`);
    again();
  };
  const camera = cameraPanel(id);
  view.append(
    h("div", {}, h("h1", {}, one.display_name ?? one.external_id ?? t("subject.unnamed")), h("p.muted", {}, one.external_id ?? one.id)),
    h("section.card.stack", {}, h("h2", {}, t("subject.templates")),
      templates.items.length ? table(t("subject.templates"), [
        [t("subject.since"), (row) => date(row.created_at)],
        [t("case.quality"), (row) => qualityOf(row)],
        ...(may("enrol") ? [["", (row) => h("button.plain", { type: "button", onclick: () => remove(row) }, t("subject.remove"))]] : []),
      ], templates.items) : h("p.muted", {}, t("subject.no_templates"))),
    basisPanel(one),
  );
  if (may("enrol")) view.append(h("section.card.stack", {}, h("h2", {}, t("subject.enrol")), filePanel(id), camera.node));
  return camera.stop;
}

/**
 * How the legal basis stands, its renewal, and its withdrawal: by whoever sits here, or by the person's own link.
 * @param {import("api").components["schemas"]["SubjectDocument"]} one
 */
function basisPanel(one) {
  const outcome = h("div.stack");
  const withdraw = async () => {
    const receipt = await call("POST", `/v1/subjects/${one.id}/withdrawal`, { key: newKey() });
    outcome.replaceChildren(notice("good", t("basis.receipt", { templates: receipt.templates, crops: receipt.crops, seq: receipt.audit_seq })));
  };
  const link = async () => {
    const made = await call("POST", `/v1/subjects/${one.id}/withdrawal-link`, { key: newKey() });
    outcome.replaceChildren(notice("good", t("basis.link_made", { date: date(made.expires_at) })), h("p.mono", {}, made.url));
  };
  const renew = async ({ basis, reference, until }) => {
    const legal_basis = { ...one.legal_basis, basis, reference: reference || null, expires_at: until ? new Date(`${until}T23:59:59`).toISOString() : null };
    delete legal_basis.withdrawn_at;
    await call("PATCH", `/v1/subjects/${one.id}`, { json: { legal_basis } });
    again();
  };
  const ask = () => outcome.replaceChildren(h("p", {}, t("basis.withdraw_sure")), form([], t("basis.withdraw_confirm"), withdraw));
  const warns = ["expiring", "expired", "withdrawn"].includes(one.legal_basis_state);
  return h("section.card.stack", {}, h("h2", {}, t("basis.filter")),
    warns ? notice("wait", basisText(one)) : h("p", {}, basisText(one)),
    may("enrol") && form([
      field("basis", t("basis.renew_basis"), { required: true, maxlength: 255, value: one.legal_basis?.basis ?? "" }),
      field("reference", t("basis.renew_reference"), { maxlength: 255, value: one.legal_basis?.reference ?? "" }),
      field("until", t("basis.renew"), { type: "date" }),
    ], t("basis.save"), renew, "plain"),
    may("enrol") && h("div", {},
      one.withdrawn_at ? null : h("button", { type: "button", id: "withdraw", onclick: ask }, t("basis.withdraw")),
      one.withdrawn_at ? null : h("button.plain", { type: "button", id: "withdrawal-link", onclick: () => link().catch((error) => outcome.replaceChildren(notice("bad", error.message))) }, t("basis.link"))),
    outcome);
}

/** @param {import("api").components["schemas"]["StoredTemplate"]} template */
function qualityOf(template) {
  const measures = Object.entries(template.measures ?? {});
  return h("details", {}, h("summary", {}, t("subject.measures")),
    h("dl.facts.small", {}, measures.flatMap(([name, value]) => [h("dt", {}, name), h("dd.mono", {}, Number(value).toFixed(2))])));
}

/** What a person may overrule with a reason: twins, and pictures that are far from the subject's others. */
const FORCED = ["duplicate_identity", "not_the_same_person"];

async function enrol(id, picture, place, reason = "") {
  const body = new FormData();
  body.append("image", picture, "enrolment");
  const force = reason ? `?${new URLSearchParams({ force: "true", reason })}` : "";
  try {
    const made = await call("POST", `/v1/subjects/${id}/templates${force}`, { form: body, key: newKey() });
    const near = made.warnings.filter((one) => one.subject_id).map((one) => one.external_id ?? one.subject_id);
    if (near.length) place.replaceChildren(notice("wait", t("subject.near", { who: near.join(", ") })));
    else again();
  } catch (error) {
    const again = (values) => enrol(id, picture, place, values.reason);
    const overrule = FORCED.includes(error.code)
      ? form([field("reason", t("subject.force_reason"), { required: true, minlength: 3, maxlength: 500 })], t("subject.force"), again) : null;
    place.replaceChildren(notice("bad", error.message, reasonList(error), overrule));
  }
}

const reasonList = (error) => h("ul", {}, (error.body?.reasons ?? []).map((code) => h("li", {}, reasonText(code))));

function filePanel(id) {
  const problem = h("div");
  const accept = "image/jpeg,image/png,image/webp,image/bmp,image/heic,.heic";
  const input = h("input", { type: "file", accept, id: "photo" });
  input.addEventListener("change", async () => input.files[0] && enrol(id, await sendable(input.files[0]), problem));
  return h("div.stack", {}, h("label", { for: "photo" }, t("subject.photo"), input), problem);
}

function cameraPanel(id) {
  const video = h("video", { muted: true, playsinline: true, style: "width:100%;max-width:480px;border-radius:10px;transform:scaleX(-1)" });
  const hint = h("p", { role: "status" });
  const outcome = h("div");
  const take = h("button.primary", { type: "button", onclick: () => shoot() }, t("subject.take"));
  const stage = h("div.stack", { hidden: true }, video, hint, take, outcome);
  const open = h("button", { type: "button", onclick: () => start() }, t("subject.camera"));
  let running = false;

  async function start() {
    try {
      stage.hidden = false;
      await startCamera(video);
      running = true;
      open.hidden = true;
      watch();
    } catch (error) {
      hint.replaceChildren(notice("bad", error.message));
    }
  }
  async function watch() {
    while (running) {
      const body = new FormData();
      body.append("image", await frame(video), "frame.jpg");
      try {
        hint.textContent = guidance(await call("POST", "/v1/quality?for=enrol", { form: body }));
      } catch (error) {
        hint.textContent = error.message;
      }
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
  }
  const shoot = async () => enrol(id, await frame(video, 1280, 0.95), outcome);
  const stop = () => {
    running = false;
    stopCamera(video);
  };
  return { node: h("div.stack", {}, h("div", {}, open), stage), stop };
}
