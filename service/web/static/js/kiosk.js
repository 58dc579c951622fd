// The kiosk: number, look into the camera, answer, next. One person at a time and no mouse needed.
//
// An attempt is a picture with an idempotency key. It lives in memory until the server has answered it, so a
// lost network delays it but never sends it twice; closing the page forgets it, since faces are not stored.

import { clock, call, facts, newKey, Offline, Problem, signIn, t, textOf, wait } from "./page.js";
import { frame, guidance, startCamera } from "./camera.js";

const GUIDANCE_MS = 320;
const ACCEPTABLE_FRAMES = 2;
/** A picture that the live check does not like is sent after so many seconds: nobody is asked for ever. */
const LONGEST_LOOK_S = 12;
const RETRY_MS = 2000;
const SHOWN_MS = { good: 3500, info: 6000, wait: 9000 };

/** @type {(id: string) => any} */
const $ = (id) => document.getElementById(id);
const stages = ["sign-in", "ready", "capture", "sending", "result"];
let attemptNumber = 0;
/** Whether the exam looks for a face that claims nobody; otherwise an empty number does nothing. */
let searches = false;
/** The camera has ended by itself; whoever is being answered is answered first. */
let cameraIsGone = false;

function show(stage) {
  for (const name of stages) $(name).hidden = name !== stage;
  // What is on its way is not called back, and its answer is shown.
  $("cancel").hidden = stage === "sending" || stage === "sign-in";
}

function offline(away) {
  $("offline").hidden = !away;
}

// ---- signing in -----------------------------------------------------------------------------------------

async function openWith(key) {
  $("sign-in-problem").textContent = "";
  try {
    await signIn(key);
    location.reload();
  } catch (error) {
    // A link opens no form: without one, nobody would see why it does not work.
    show("sign-in");
    $("sign-in-problem").textContent = error.message;
    $("key").select();
  }
}

// ---- one candidate --------------------------------------------------------------------------------------

function ready() {
  attemptNumber += 1;
  if (cameraIsGone) {
    openCamera();
    return;
  }
  $("candidate").value = "";
  show("ready");
  $("candidate").focus();
}

/** A picture that the live check likes; or, after LONGEST_LOOK_S, the best there was, which is then `final`. */
async function look(attempt) {
  show("capture");
  $("guidance").textContent = t("guide.look");
  const until = performance.now() + LONGEST_LOOK_S * 1000;
  let acceptable = 0;
  let best = null;
  while (attempt === attemptNumber) {
    const began = performance.now();
    const picture = await frame($("camera"));
    const report = await assess(picture);
    if (attempt !== attemptNumber) return null;
    if (report && (best === null || faults(report) <= faults(best.report))) best = { picture, report };
    acceptable = report?.acceptable ? acceptable + 1 : 0;
    $("oval").classList.toggle("good", acceptable > 0);
    if (report) $("guidance").textContent = guidance(report);
    if (acceptable >= ACCEPTABLE_FRAMES) return { picture, final: false };
    if (best !== null && performance.now() >= until) return { picture: best.picture, final: true };
    await wait(Math.max(0, GUIDANCE_MS - (performance.now() - began)));
  }
  return null;
}

/** How far a picture is from one that can be compared: without one face there is nothing to look at. */
const faults = (report) => (report.face === null ? 100 : 0) + report.reasons.length;

async function assess(picture) {
  const form = new FormData();
  form.append("image", picture, "frame.jpg");
  try {
    const report = await call("POST", "/v1/quality?for=checkin", { form, timeout: 5000 });
    offline(false);
    return report;
  } catch (error) {
    if (error instanceof Offline) {
      offline(true);
      $("guidance").textContent = t("kiosk.offline_wait");
    } else if (error instanceof Problem && error.status === 401) {
      location.reload();
    } else {
      $("guidance").textContent = error.message;
    }
    await wait(RETRY_MS);
    return null;
  }
}

/** Send the attempt until the server has answered it; the key makes sure that it counts once. */
async function send(candidate, { picture, final }) {
  show("sending");
  const key = newKey();
  const taken = new Date().toISOString();
  for (;;) {
    const form = new FormData();
    form.append("image", picture, "probe.jpg");
    if (candidate) form.append("candidate", candidate);
    form.append("client_time", taken);
    if (final) form.append("final", "true");
    try {
      const answer = await call("POST", `/v1/sessions/${facts.session_id}/checkins`, { form, key });
      offline(false);
      return outcomeOf(answer);
    } catch (error) {
      if (error instanceof Problem && !mayPass(error)) return refusalOf(error);
      offline(error instanceof Offline);
      $("sending-text").textContent = t(error instanceof Offline ? "kiosk.kept" : "kiosk.busy");
      await wait(RETRY_MS);
    }
  }
}

const mayPass = (problem) => problem.status === 429 || problem.status >= 500 || problem.code === "idempotency_pending";

function outcomeOf({ checkin, attempts }) {
  const name = checkin.display_name ?? checkin.external_id ?? "";
  if (checkin.outcome === "admitted") {
    const seat = checkin.seat ? t("kiosk.seat", { seat: checkin.seat }) : "";
    return { tone: "good", mark: "✓", title: t("kiosk.admitted", { name }), detail: seat };
  }
  const left = attempts ? attempts.allowed - attempts.made : 0;
  const reason = checkin.reasons.map((code) => textOf(`guide.${code}`)).find(Boolean) ?? "";
  return { tone: "wait", mark: "!", title: t("kiosk.referred"), detail: reason || t("kiosk.referred_detail"), again: left > 0 };
}

function refusalOf(problem) {
  const { code, body } = problem;
  if (code === "already_checked_in") {
    const detail = t("kiosk.already_detail", { time: clock(body.checked_in_at), seat: body.seat ?? "–" });
    return { tone: "info", mark: "✓", title: t("kiosk.already"), detail };
  }
  if (problem.status === 422) {
    return { tone: "wait", mark: "?", title: t("kiosk.again"), detail: textOf(`guide.${code}`) ?? problem.message, again: true, insist: true };
  }
  const known = textOf(`kiosk.${code}`);
  return { tone: code === "session_closed" ? "info" : "wait", mark: "!", title: known ?? t("kiosk.referred"), detail: problem.message };
}

/** Who is claimed, before the camera looks at anybody; a result where no picture is to be taken. */
async function claim(candidate) {
  try {
    const { external_id, display_name, seat } = await call("POST", `/v1/sessions/${facts.session_id}/claims`, { json: { candidate } });
    offline(false);
    return { name: [display_name ?? external_id, seat].filter(Boolean).join(" · ") };
  } catch (error) {
    if (error instanceof Problem && !mayPass(error)) return { refusal: refusalOf(error) };
    // Without an answer the number is as good as before: the picture is kept until the network is back.
    offline(error instanceof Offline);
    return { name: candidate };
  }
}

/** `insist`: the server could not use the picture before; whatever the next one is like, it counts. */
async function checkIn(candidate, insist = false) {
  const attempt = attemptNumber;
  if (candidate) {
    $("candidate-form").inert = true;
    const { name, refusal } = await claim(candidate);
    $("candidate-form").inert = false;
    if (attempt !== attemptNumber) return;
    if (refusal) {
      await present(refusal, candidate, attempt);
      return;
    }
    $("claimed").textContent = name;
  }
  $("claimed").hidden = !candidate;
  const found = await look(attempt);
  if (found === null) return;
  const result = await send(candidate, { picture: found.picture, final: found.final || insist });
  if (attempt === attemptNumber) await present(result, candidate, attempt);
}

async function present(result, candidate, attempt) {
  $("result").className = `result ${result.tone}`;
  $("result-mark").textContent = result.mark;
  $("result-title").textContent = result.title;
  $("result-detail").textContent = result.detail;
  $("again").hidden = !result.again;
  $("again").onclick = () => {
    attemptNumber += 1;
    checkIn(candidate, result.insist);
  };
  show("result");
  $("result-title").focus();
  await wait(SHOWN_MS[result.tone]);
  if (attempt === attemptNumber) ready();
}

// ---- start ----------------------------------------------------------------------------------------------

async function refreshSession() {
  try {
    const session = await call("GET", `/v1/sessions/${facts.session_id}`);
    offline(false);
    searches = session.identification;
    $("session").textContent = t("kiosk.session", { exam: session.exam_name, room: session.room });
    $("window").textContent = t(`kiosk.state_${session.state}`, { opens: clock(session.opens_at), closes: clock(session.closes_at) });
  } catch (error) {
    if (error instanceof Problem && (error.status === 401 || error.status === 403)) location.reload();
    offline(error instanceof Offline);
  }
}

async function start() {
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    openWith($("key").value);
  });
  const fromLink = new URLSearchParams(location.hash.slice(1)).get("key");
  if (fromLink) {
    history.replaceState(null, "", location.pathname);
    // A link from anywhere must not quietly put this tablet into another session.
    if (!facts.session_id || window.confirm(t("kiosk.replace"))) {
      await openWith(fromLink);
      return;
    }
  }
  if (!facts.session_id) {
    show("sign-in");
    $("key").focus();
    return;
  }
  $("candidate-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const candidate = $("candidate").value.trim();
    if (candidate || searches) checkIn(candidate);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !$("cancel").hidden) ready();
  });
  for (const id of ["cancel", "next"]) $(id).addEventListener("click", ready);
  addEventListener("offline", () => offline(true));
  addEventListener("online", refreshSession);
  await refreshSession();
  setInterval(refreshSession, 15000);
  await openCamera();
}

/** Start the camera; where it is missing or gone say so, and go on by itself once it is there. */
async function openCamera() {
  for (;;) {
    try {
      await startCamera($("camera"), () => {
        cameraIsGone = true;
        if ($("sending").hidden && $("result").hidden) ready();
      });
      cameraIsGone = false;
      $("camera-problem").hidden = true;
      ready();
      return;
    } catch (error) {
      for (const name of stages) $(name).hidden = true;
      $("cancel").hidden = true;
      $("camera-problem").textContent = error.message;
      $("camera-problem").hidden = false;
      await wait(RETRY_MS);
    }
  }
}

start();
