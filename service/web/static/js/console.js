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
import { survey } from "./views/survey.js";
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
  [/^\/gallery$/, survey, ADMIN],
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

/** @typedef {[string, string, string[]]} Place Its address, its name, and who finds something there. */

/** What the days of an exam are made of. @type {Place[]} */
const PLACES = [["/", "nav.home", STAFF], ["/board", "nav.board", STAFF], ["/exams", "nav.exams", STAFF], ["/subjects", "nav.subjects", READ_SUBJECTS]];
/** What is looked after now and then: one entry of the navigation, with a tab for each. @type {Place[]} */
const ADMINISTRATION = [
  ["/people", "nav.people", ADMIN], ["/keys", "nav.keys", ADMIN], ["/webhooks", "webhook.title", ADMIN], ["/models", "nav.models", READ_MODELS],
  ["/jobs", "nav.jobs", RUN_JOBS], ["/audit", "nav.audit", READ_TRAIL], ["/installation", "nav.installation", READ_TRAIL],
];
/** Pages that stand below another place. */
const BELOW = [["/exams", "/sessions"], ["/subjects", "/enrol"], ["/subjects", "/proposals"], ["/subjects", "/gallery"], ["/exams", "/pair"], ["/exams", "/retention"]];

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
  view.replaceChildren(sections(path), fresh);
  pushAside();
  setTitle(t("console.name"));
  for (const [pattern, draw, scopes] of routes) {
    const found = pattern.exec(path);
    if (!found || (scopes && !may(...scopes))) continue;
    try {
      const end = (await draw(fresh, ...found.slice(1))) ?? (() => {});
      // Whoever clicked on meanwhile is elsewhere: what this view started must not go on behind that one.
      if (mine === drawing) {
        leave = end;
        pushAside();
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

/** @param {Place[]} places */
const open = (places) => places.filter(([, , scopes]) => may(...scopes));

/** Whether a page is a place's own, or below it. */
const isAt = (path, to) => (to === "/" ? path === "/" : path.startsWith(to) || BELOW.some(([above, below]) => above === to && path.startsWith(below)));

function linksTo(places, path) {
  return places.map(([to, text]) => h("a", { href: `#${to}`, "aria-current": isAt(path, to) && "page" }, t(text)));
}

function showNavigation(path) {
  const [first] = open(ADMINISTRATION);
  const isAdministration = ADMINISTRATION.some(([to]) => isAt(path, to));
  document.getElementById("nav").replaceChildren(...linksTo(open(PLACES), path),
    first ? h("a", { href: `#${first[0]}`, "aria-current": isAdministration && (path === first[0] ? "page" : "true") }, t("nav.administration")) : "");
  document.getElementById("who").replaceChildren(
    facts.is_operator ? h("a.small", { href: "#/account", dir: "auto", "aria-current": path === "/account" && "page" }, facts.name) : h("span.muted.small", { dir: "auto" }, facts.name),
    h("button.plain", { type: "button", onclick: signOut }, t("console.sign_out")),
  );
}

/** On a phone navigation and tabs are one line each, which is pushed aside until the present page is in sight. */
function pushAside() {
  for (const current of document.querySelectorAll("#nav [aria-current], .tabs [aria-current]")) {
    const [mine, line] = [current.getBoundingClientRect(), current.parentElement.getBoundingClientRect()];
    current.parentElement.scrollBy({ left: mine.left + mine.width / 2 - line.left - line.width / 2, behavior: "instant" });
  }
}

/** The tabs of what is looked after now and then, above such a page. */
function sections(path) {
  const places = open(ADMINISTRATION);
  if (places.length < 2 || !places.some(([to]) => isAt(path, to))) return "";
  return h("nav.tabs", { id: "sections", "aria-label": t("nav.administration") }, linksTo(places, path));
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
