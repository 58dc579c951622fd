// The console: which view belongs to the address, and who is signed in.

import { facts, h, may, setTitle, signOut, STAFF, t } from "./page.js";
import { notice, refresh as refreshOn } from "./ui.js";
import { showJoin, showSignIn } from "./views/entering.js";
import { home } from "./views/home.js";
import { installation } from "./views/installation.js";
import { copyExam, exam, exams } from "./views/exams.js";
import { bulk } from "./views/bulk.js";
import { account } from "./views/account.js";
import { audit } from "./views/audit.js";
import { job, jobs } from "./views/jobs.js";
import { keys } from "./views/keys.js";
import { pair } from "./views/kiosks.js";
import { model, models } from "./views/models.js";
import { people, person } from "./views/people.js";
import { proposals } from "./views/proposals.js";
import { examReadiness } from "./views/readiness.js";
import { retention } from "./views/retention.js";
import { rooms } from "./views/rooms.js";
import { session } from "./views/session.js";
import { subject } from "./views/subject.js";
import { subjects } from "./views/subjects.js";
import { webhooks } from "./views/webhooks.js";

const READ_SUBJECTS = ["subjects:read"];
const READ_MODELS = ["models:write", "audit:read"];
const RUN_JOBS = ["jobs:run"];
const READ_TRAIL = ["audit:read"];
const ADMIN = ["admin"];

/**
 * What an address shows, and who finds something there: one of these scopes; none for everybody.
 * @type {[RegExp, (...parts: any[]) => any, string[]?][]}
 */
const routes = [
  [/^\/?$/, home],
  [/^\/board(?:\/([^/]+))?$/, rooms, STAFF],
  [/^\/exams$/, exams, STAFF],
  [/^\/exams\/copy\/([^/]+)$/, copyExam, ["exams:write"]],
  [/^\/exams\/([^/]+)$/, exam, STAFF],
  [/^\/exams\/([^/]+)\/readiness$/, examReadiness, STAFF],
  [/^\/sessions\/([^/]+)(?:\/(\w+))?(?:\/([^/]+))?$/, session, STAFF],
  [/^\/subjects(?:\?(.*))?$/, subjects, READ_SUBJECTS],
  [/^\/pair\/([A-Za-z]+)$/, pair, ["exams:write"]],
  [/^\/enrol$/, bulk, ["enrol"]],
  [/^\/proposals$/, proposals, ["enrol"]],
  [/^\/subjects\/([^/]+)$/, subject, READ_SUBJECTS],
  [/^\/models$/, models, READ_MODELS],
  [/^\/models\/([^/]+)(?:\/(\w+))?$/, model, READ_MODELS],
  [/^\/jobs$/, jobs, RUN_JOBS],
  [/^\/jobs\/([^/]+)$/, job, RUN_JOBS],
  [/^\/audit$/, audit, READ_TRAIL],
  [/^\/retention$/, retention, ["exams:write", "audit:read"]],
  [/^\/installation$/, installation, READ_TRAIL],
  [/^\/people$/, people, ADMIN],
  [/^\/people\/([^/]+)$/, person, ADMIN],
  [/^\/keys$/, keys, ADMIN],
  [/^\/webhooks$/, webhooks, ADMIN],
  [/^\/account$/, account],
];

const view = document.getElementById("view");
let leave = () => {};
let drawing = 0;

/** Show what the address names. A view may give back a function that ends what it started. */
async function render() {
  leave();
  leave = () => {};
  const mine = ++drawing;
  const path = decodeURI(location.hash.slice(1)) || "/";
  showNavigation(path);
  const fresh = h("div.stack");
  view.replaceChildren(fresh);
  setTitle(t("console.name"));
  for (const [pattern, draw, scopes] of routes) {
    const found = pattern.exec(path);
    if (!found || (scopes && !may(...scopes))) continue;
    try {
      const end = (await draw(fresh, ...found.slice(1))) ?? (() => {});
      // Whoever clicked on meanwhile is elsewhere: what this view started must not go on behind that one.
      if (mine === drawing) {
        leave = end;
        if (document.title.startsWith(t("console.name"))) setTitle(fresh.querySelector("h1")?.textContent ?? t("console.name"));
      } else end();
    } catch (error) {
      if (mine !== drawing) return;
      fresh.replaceChildren(h("h1.sr-only", {}, t("console.name")), notice("bad", error.message));
    }
    return;
  }
  setTitle(t("console.no_page"));
  fresh.append(h("h1", {}, t("console.no_page")), h("p", {}, h("a", { href: "#/" }, t("console.to_start"))));
}

function showNavigation(path) {
  const links = [
    ["/", "nav.home", STAFF], ["/board", "nav.board", STAFF], ["/exams", "nav.exams", STAFF], ["/subjects", "nav.subjects", READ_SUBJECTS],
    ["/models", "nav.models", READ_MODELS], ["/jobs", "nav.jobs", RUN_JOBS], ["/audit", "nav.audit", READ_TRAIL], ["/people", "nav.people", ADMIN], ["/keys", "nav.keys", ADMIN], ["/installation", "nav.installation", READ_TRAIL],
  ].filter(([, , scopes]) => may(...scopes));
  const current = (to) => (to === "/" ? path === "/" : path.startsWith(to) || (to === "/exams" && path.startsWith("/sessions")) || (to === "/subjects" && ["/enrol", "/proposals"].includes(path)) || (to === "/keys" && path === "/webhooks") || (to === "/exams" && path === "/retention"));
  const nav = document.getElementById("nav");
  nav.replaceChildren(
    ...links.map(([to, text]) => h("a", { href: `#${to}`, "aria-current": current(to) && "page" }, t(text))),
  );
  document.getElementById("who").replaceChildren(
    facts.is_operator ? h("a.small", { href: "#/account", "aria-current": path === "/account" && "page" }, facts.name) : h("span.muted.small", {}, facts.name),
    h("button.plain", { type: "button", onclick: signOut }, t("console.sign_out")),
  );
}

const JOIN = /^#\/join\/([\w-]+)$/;

async function start() {
  const link = JOIN.exec(location.hash);
  if (link) return showJoin(view, link[1]);
  if (!facts.name) return showSignIn(view);
  return render();
}

refreshOn(async () => {
  await render();
  // What had the focus was drawn anew: whoever works with the keyboard goes on from the page's beginning, not the browser's.
  if (document.activeElement === document.body) view.focus({ preventScroll: true });
});
// The address names what is shown, so the link that skips the navigation must not change it.
document.querySelector(".skip")?.addEventListener("click", (event) => {
  event.preventDefault();
  view.focus();
});
addEventListener("hashchange", async () => {
  await start();
  if (!facts.name) return;
  view.focus({ preventScroll: true });
  scrollTo(0, 0);
});
start();
