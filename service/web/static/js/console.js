// The console: which view belongs to the address, and who is signed in.

import { facts, h, setTitle, signIn, signOut, t } from "./page.js";
import { notice, refresh as refreshOn } from "./ui.js";
import { home } from "./views/home.js";
import { exam, exams } from "./views/exams.js";
import { job, jobs } from "./views/jobs.js";
import { model, models } from "./views/models.js";
import { session } from "./views/session.js";
import { subject, subjects } from "./views/subjects.js";

/** @type {[RegExp, (...parts: any[]) => any][]} */
const routes = [
  [/^\/?$/, home],
  [/^\/exams$/, exams],
  [/^\/exams\/([^/]+)$/, exam],
  [/^\/sessions\/([^/]+)(?:\/(\w+))?(?:\/([^/]+))?$/, session],
  [/^\/subjects$/, subjects],
  [/^\/subjects\/([^/]+)$/, subject],
  [/^\/models$/, models],
  [/^\/models\/([^/]+)$/, model],
  [/^\/jobs$/, jobs],
  [/^\/jobs\/([^/]+)$/, job],
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
  for (const [pattern, draw] of routes) {
    const found = pattern.exec(path);
    if (!found) continue;
    try {
      const end = (await draw(fresh, ...found.slice(1))) ?? (() => {});
      // Whoever clicked on meanwhile is elsewhere: what this view started must not go on behind that one.
      if (mine === drawing) {
        leave = end;
        if (document.title.startsWith(t("console.name"))) setTitle(fresh.querySelector("h1")?.textContent ?? t("console.name"));
      } else end();
    } catch (error) {
      if (mine !== drawing) return;
      fresh.replaceChildren(notice("bad", error.message));
      if (error.status === 401) location.reload();
    }
    return;
  }
  fresh.append(notice("wait", t("console.no_page")), h("a", { href: "#/" }, t("nav.home")));
}

function showNavigation(path) {
  const links = [["/", "nav.home"], ["/exams", "nav.exams"], ["/subjects", "nav.subjects"], ["/models", "nav.models"]];
  if (facts.scopes.includes("jobs:run") || facts.scopes.includes("admin")) links.push(["/jobs", "nav.jobs"]);
  const current = (to) => (to === "/" ? path === "/" : path.startsWith(to) || (to === "/exams" && path.startsWith("/sessions")));
  const nav = document.getElementById("nav");
  nav.replaceChildren(
    ...links.map(([to, text]) => h("a", { href: `#${to}`, "aria-current": current(to) && "page" }, t(text))),
  );
  document.getElementById("who").replaceChildren(
    h("span.muted.small", {}, facts.key_name),
    h("button.plain", { type: "button", onclick: signOut }, t("console.sign_out")),
  );
}

function showSignIn() {
  const problem = h("p", { role: "alert" });
  const key = h("input", { id: "key", type: "password", autocomplete: "off", required: true });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await signIn(key.value);
      location.reload();
    } catch (error) {
      problem.replaceChildren(notice("bad", error.message));
    }
  };
  view.replaceChildren(
    h("section.card.stack", { style: "max-width:520px;margin:8vh auto 0;width:100%" },
      h("h1", {}, t("console.sign_in")),
      h("p.muted", {}, t("console.sign_in_help")),
      h("form.stack", { onsubmit: submit }, h("label", { for: "key" }, t("console.key"), key), problem,
        h("button.primary", {}, t("console.enter")))),
  );
  key.focus();
}

if (facts.key_name) {
  refreshOn(render);
  addEventListener("hashchange", async () => {
    await render();
    view.focus({ preventScroll: true });
    scrollTo(0, 0);
  });
  render();
} else {
  showSignIn();
}
