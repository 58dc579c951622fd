// The kiosk: number, "is this you?", look into the camera, answer, next. One person at a time and no mouse needed.
//
// An attempt is a picture with an idempotency key. It lives in memory until the server has answered it, so a
// lost network delays it but never sends it twice. Where the network stays away, the attempt is sealed for the
// server and queued (`kiosk/reserve.js`); nobody waits for that.

import { clock, call, facts, newKey, Offline, Problem, signIn, t, textOf, wait } from "./page.js";
import { Device, stayAwake } from "./kiosk/device.js";
import { showKeypad } from "./kiosk/keypad.js";
import * as languages from "./kiosk/languages.js";
import { look, UNUSED_MS } from "./kiosk/look.js";
import * as moving from "./kiosk/moving.js";
import { pair } from "./kiosk/pairing.js";
import { Reel } from "./kiosk/reel.js";
import { install, reserve } from "./kiosk/reserve.js";
import { scan } from "./kiosk/scanner.js";
import { openSetup } from "./kiosk/selftest.js";

const RETRY_MS = 2000;
const REFRESH_MS = 15000;
/** For so long somebody at the kiosk waits for an answer, and for so long after it is still sent. */
const LONGEST_WAIT_MS = 20000;
const LONGEST_KEPT_MS = 600_000;
const CLAIM_MS = 6000;
/** A tablet that slept meanwhile says no more than the server takes. */
const MOST_WAITED_MS = 3_600_000;
/** For so long an answer is waited for where the attempt can be queued instead. */
const QUEUED_AFTER_MS = 7000;
/** A scanner that reads one card twice. */
const TWICE_MS = 3000;
const SHOWN_MS = { good: 3500, info: 6000, wait: 9000 };

/** @type {(id: string) => any} */
const $ = (id) => document.getElementById(id);
const stages = ["sign-in", "ready", "scan", "confirm", "going", "capture", "sending", "result", "closed", "trouble"];
/** Where whoever is there is answered first, whatever becomes of the camera. */
const BUSY = ["sending", "result", "closed", "sign-in"];
let stage = "";
let attemptNumber = 0;
/** Who is claimed: the number as it was given. */
let claimed = "";
/** Whether the exam looks for a face that claims nobody; otherwise an empty number does nothing. */
let searches = false;
/** Whether the exam looks at faces at all. */
let looks = true;
/** Whether the exam wants the moments before a picture as well. */
let watches = false;
let last = { number: "", at: -Infinity };
let typed = "";
let idle = 0;

const device = new Device($("camera"), (problem) => {
  $("trouble-text").textContent = problem ?? "";
  if (BUSY.includes(stage)) return;
  if (problem === null) ready();
  else trouble();
});

function show(name) {
  stage = name;
  for (const one of stages) $(one).hidden = one !== name;
  document.body.dataset.stage = name;
  device.looking = name === "capture";
  $("cancel").hidden = !["scan", "confirm", "going", "capture"].includes(name);
  // What is on its way is not called back, and its answer is shown.
  $("document").hidden = ["sending", "sign-in", "closed", "result"].includes(name);
  clearTimeout(idle);
}

/** Whether the network is away. */
let isAway = false;

function offline(away) {
  isAway = away;
  showNetwork();
  languages.allow(!away);
}

function showNetwork() {
  $("offline").hidden = !isAway && !reserve.count;
  $("offline").textContent = reserve.count ? t(isAway ? "kiosk.queued" : "kiosk.sending_queue", { count: reserve.count }) : t("kiosk.offline");
}

/** Whether whoever comes is looked after without the server. */
const isAlone = () => isAway && reserve.isReady && looks && !moving.isAtExit();

/** A number that nobody uses is dropped: the next person must not be compared with somebody else's. */
function dropUnused() {
  clearTimeout(idle);
  idle = window.setTimeout(ready, UNUSED_MS);
}

// ---- signing in -----------------------------------------------------------------------------------------

async function openWith(key) {
  $("sign-in-problem").textContent = "";
  try {
    await signIn(key);
    location.reload();
  } catch (error) {
    // A link opens no form: without one, nobody would see why it does not work.
    signInStage();
    $("by-key").open = true;
    $("sign-in-problem").textContent = error.message;
    $("key").select();
  }
}

let isPairing = false;

function signInStage() {
  show("sign-in");
  if (!isPairing) pair();
  isPairing = true;
}

/** The key has ended: with its session, or because somebody ended it. */
async function ended() {
  attemptNumber += 1;
  reserve.forget();
  let session = null;
  try {
    session = await call("GET", "/kiosk/session");
  } catch {
    // Ended by somebody, or nobody can say.
  }
  closed(session);
}

function closed(session) {
  const over = session?.state === "closed";
  $("closed-title").textContent = t(over ? "kiosk.over" : "kiosk.ended");
  $("closed-text").textContent = over ? t("kiosk.over_detail", { time: clock(session.closes_at) }) : t("kiosk.ended_detail");
  if (session) $("session").textContent = t("kiosk.session", { exam: session.exam_name, room: session.room });
  $("window").textContent = "";
  reserve.forget();
  show("closed");
}

// ---- one candidate --------------------------------------------------------------------------------------

function ready() {
  attemptNumber += 1;
  claimed = typed = "";
  if (device.problem !== null) {
    trouble();
    return;
  }
  $("candidate").value = "";
  show("ready");
  languages.release(() => stage === "ready");
  $("candidate").focus();
}

function trouble() {
  attemptNumber += 1;
  last = { number: "", at: -Infinity }; // Whoever was interrupted gives the number again, and at once.
  show("trouble");
}

/** A number as it was typed or read; a reader may add what nobody sees. */
const cleaned = (text) => text.replace(/[\p{Cc}\p{Cf}]/gu, "").trim();

function give(text) {
  const number = cleaned(text);
  const twice = number === last.number && performance.now() - last.at < TWICE_MS;
  if (twice || (!number && !searches)) {
    $("candidate").value = "";
    return;
  }
  last = { number, at: performance.now() };
  checkIn(number);
}

/** A card before the camera instead of a number in the field. */
async function scanCard() {
  const attempt = (attemptNumber += 1);
  show("scan");
  const text = await scan(device.video, $("scan-frame"), () => attempt === attemptNumber, (words) => {
    if ($("scan-hint").textContent !== words) $("scan-hint").textContent = words;
  });
  if (attempt !== attemptNumber) return;
  ready();
  if (text) give(text);
}

/** Send the attempt until the server has answered it; the key makes sure that it counts once. */
function send(candidate, { picture, final, frames }, claimedAt) {
  const [key, taken] = [newKey(), new Date().toISOString()];
  const waited = Math.min(Math.round(performance.now() - claimedAt), MOST_WAITED_MS);
  const queue = candidate ? () => keepAlone(candidate, picture, taken) : undefined;
  if (queue && isAlone()) {
    show("sending");
    $("sending-text").textContent = "";
    return queue();
  }
  return deliver(async () => {
    const form = new FormData();
    form.append("image", picture, "probe.jpg");
    if (candidate) form.append("candidate", candidate);
    form.append("client_time", taken);
    form.append("since_claim_ms", String(waited));
    form.append("kind", moving.kind());
    if (final) form.append("final", "true");
    for (const one of frames) form.append("frames", one, "frame.jpg");
    return outcomeOf(await call("POST", `/v1/sessions/${facts.session_id}/checkins`, { form, key }));
  }, queue);
}

/** Queue an attempt, and let the candidate in or send them to a person as the exam's rule says. */
async function keepAlone(candidate, picture, taken) {
  const person = reserve.find(candidate);
  if (!person) return noAnswer();
  try {
    const rule = await reserve.keep(person, picture, taken);
    if (rule !== "provisional") return { tone: "wait", mark: "!", title: t("kiosk.referred"), detail: t("kiosk.held_detail") };
  } catch {
    // The tablet is full, or gave up its store.
    return noAnswer();
  }
  const { display_name, external_id, seat } = person;
  const detail = seat ? t("kiosk.seat", { seat }) : "";
  const title = t("kiosk.admitted", { name: display_name ?? external_id });
  return { tone: "info", mark: "✓", title, detail, seat, note: t("kiosk.provisional") };
}

/**
 * Whatever is on its way: nobody waits for the answer longer than a while. What can be queued is, and what is only
 * kept goes on being sent.
 */
async function deliver(attempt, queue = undefined) {
  show("sending");
  const say = (text) => {
    if (isWaiting) $("sending-text").textContent = text;
  };
  let isWaiting = true;
  say("");
  const canQueue = queue !== undefined && reserve.isReady;
  const wanted = () => isWaiting || !canQueue;
  const result = await Promise.race([keepSending(attempt, say, wanted), wait(canQueue ? QUEUED_AFTER_MS : LONGEST_WAIT_MS)]);
  isWaiting = false;
  return result ?? (canQueue ? queue() : noAnswer());
}

/** Send until the server has answered, for as long as it can still be of use; undefined where it never did. */
async function keepSending(attempt, say, wanted) {
  for (const began = performance.now(); wanted() && performance.now() - began < LONGEST_KEPT_MS; await wait(RETRY_MS)) {
    try {
      const result = await attempt();
      offline(false);
      return result;
    } catch (error) {
      if (error instanceof Problem && !mayPass(error)) return refusalOf(error);
      offline(error instanceof Offline);
      say(t(error instanceof Offline ? "kiosk.kept" : "kiosk.busy"));
    }
  }
}

/** The way on without the server: a person, a document, and the sheet of the room. */
const noAnswer = () => ({ tone: "wait", mark: "!", title: t("kiosk.no_answer"), detail: t(moving.isAtExit() ? "kiosk.no_answer_move" : "kiosk.no_answer_detail") });

const mayPass = (problem) => problem.status === 429 || problem.status >= 500 || problem.code === "idempotency_pending";

function outcomeOf({ checkin, attempts }) {
  const name = checkin.display_name ?? checkin.external_id ?? "";
  if (checkin.outcome === "admitted") {
    const seat = checkin.seat ? t("kiosk.seat", { seat: checkin.seat }) : "";
    const title = t(checkin.kind === "return" ? "move.back" : "kiosk.admitted", { name });
    return { tone: "good", mark: "✓", title, detail: seat, seat: checkin.seat };
  }
  if (checkin.reasons.includes("pilot")) return { tone: "info", mark: "✓", title: t("kiosk.faces_off"), detail: t("kiosk.faces_off_detail") };
  const left = attempts ? attempts.allowed - attempts.made : 0;
  const reason = checkin.reasons.map((code) => textOf(`guide.${code}`)).find(Boolean) ?? "";
  return { tone: "wait", mark: "!", title: t("kiosk.referred"), detail: reason || t("kiosk.referred_detail"), again: left > 0 };
}

function refusalOf(problem) {
  const { code, body } = problem;
  if (problem.status === 401) return { ended: true };
  if (code === "already_checked_in") {
    const detail = t("kiosk.already_detail", { time: clock(body.checked_in_at), seat: body.seat ?? "–" });
    return { tone: "info", mark: "✓", title: t("kiosk.already"), detail };
  }
  if (code === "number_invalid") return { tone: "wait", mark: "?", title: t("kiosk.number_invalid"), detail: t("kiosk.number_invalid_detail") };
  if (code === "not_on_roster" && body.room) {
    return { tone: "info", mark: "→", title: t("kiosk.other_room", { room: body.room }), detail: t("kiosk.other_room_detail") };
  }
  if (problem.status === 422) {
    return { tone: "wait", mark: "?", title: t("kiosk.again"), detail: textOf(`guide.${code}`) ?? problem.message, again: true, insist: true };
  }
  if (code === "exit_not_allowed") return { tone: "wait", mark: "!", title: t("kiosk.exit_not_allowed", { time: clock(body.until) }), detail: t("kiosk.exit_not_allowed_detail") };
  const title = textOf(`kiosk.${code}`);
  const detail = textOf(`kiosk.${code}_detail`) ?? t("kiosk.referred_detail");
  return { tone: ["session_closed", "faces_off"].includes(code) ? "info" : "wait", mark: "!", title: title ?? t("kiosk.referred"), detail };
}

/** Who is claimed, before the camera looks at anybody; a result where no picture is to be taken. */
async function claim(candidate) {
  if (isAlone()) return claimAlone(candidate);
  try {
    const { external_id, display_name, seat, presence, stays_until } = await call("POST", `/v1/sessions/${facts.session_id}/claims`, { json: { candidate, kind: moving.kind() }, timeout: CLAIM_MS });
    offline(false);
    return { candidate: external_id, name: [display_name ?? external_id, seat].filter(Boolean).join(" · "), going: presence === "present", stays_until };
  } catch (error) {
    if (error instanceof Problem && !mayPass(error)) return { refusal: refusalOf(error) };
    // Without an answer the number is as good as before: the picture is kept until the network is back.
    offline(error instanceof Offline);
    // Whether somebody goes out or comes back, and who shows a document, the server alone knows.
    if (moving.isAtExit() || !looks || reserve.isClosed) return { refusal: noAnswer() };
    return isAlone() ? claimAlone(candidate) : { candidate, name: candidate };
  }
}

/** The same without the server, by what the tablet knows; whoever cannot be looked at goes to a person. */
function claimAlone(number) {
  const { refused, person } = reserve.claim(number);
  if (refused === "already_here") {
    return { refusal: { tone: "info", mark: "✓", title: t("kiosk.already_here"), detail: t("kiosk.already_here_detail", { seat: person.seat ?? "–" }) } };
  }
  if (refused) return { refusal: refusalOf({ code: refused, body: {}, status: 409 }) };
  return { candidate: person.external_id, name: [person.display_name ?? person.external_id, person.seat].filter(Boolean).join(" · ") };
}

/** `insist`: the server could not use the picture before; whatever the next one is like, it counts. */
async function checkIn(given, { insist = false, sure = false } = {}) {
  const attempt = (attemptNumber += 1);
  const current = () => attempt === attemptNumber;
  const claimedAt = performance.now();
  let candidate = (claimed = given);
  if (given) {
    $("candidate-form").inert = true;
    // A card may say it otherwise than the roster, which is what counts from here on.
    const { name, refusal, candidate: meant, going, stays_until } = await claim(given);
    candidate = meant;
    $("candidate-form").inert = false;
    if (!current()) return;
    if (refusal) {
      await present(refusal, given, attempt);
      return;
    }
    if (going) {
      await goOut(candidate, name, stays_until, attempt);
      return;
    }
    $("claimed").textContent = name;
    if (!sure && !(await confirmed(name))) return;
    if (!current()) return;
  }
  $("claimed").hidden = !candidate;
  show("capture");
  const say = (text, good) => {
    if ($("guidance").textContent !== text) $("guidance").textContent = text;
    $("oval").classList.toggle("good", good);
  };
  say(t("guide.look"), false);
  const reel = watches ? new Reel(device.video) : undefined;
  const found = await look(device, current, { say, offline, ended, alone: () => Boolean(candidate) && isAlone(), reel });
  if (!current() || found === null) return;
  if (found === "nobody") {
    ready();
    return;
  }
  const frames = (await reel?.frames()) ?? [];
  const result = await send(candidate, { picture: found.picture, final: found.final || insist, frames }, claimedAt);
  if (current()) await present(result, candidate, attempt);
}

/** Somebody in the room gave a number at the way out. */
async function goOut(candidate, name, staysUntil, attempt) {
  show("going");
  dropUnused();
  const move = await moving.chosen(name, staysUntil);
  if (attempt !== attemptNumber) return;
  const record = moving.sender(candidate, move);
  const result = await deliver(async () => moving.outcomeOf(await record()));
  if (attempt === attemptNumber) await present(result, candidate, attempt);
}

/** Whether it is them: a wrong number must not use up another person's attempt. */
function confirmed(name) {
  $("confirm-name").textContent = name;
  typed = "";
  show("confirm");
  dropUnused();
  $("yes").focus();
  return new Promise((resolve) => {
    $("yes").onclick = () => resolve(true);
  });
}

/** Somebody prefers to show a document: a person is told, and nobody is asked why. */
async function byDocument() {
  const candidate = claimed || cleaned($("candidate").value);
  const attempt = (attemptNumber += 1);
  show("sending");
  $("sending-text").textContent = "";
  /** @type {any} */
  let result = { tone: "info", mark: "✓", title: t("kiosk.document_asked"), detail: t("kiosk.document_asked_detail") };
  try {
    await call("POST", `/v1/sessions/${facts.session_id}/document-requests`, { json: candidate ? { candidate } : {}, timeout: 8000 });
  } catch (error) {
    // Whatever happened, a person is the way on; only who is in already, or too late, is told so.
    if (error instanceof Problem && ["already_checked_in", "session_closed"].includes(error.code)) result = refusalOf(error);
    else if (error instanceof Problem && error.status === 401) result = { ended: true };
    else offline(error instanceof Offline);
  }
  if (attempt === attemptNumber) await present(result, candidate, attempt);
}

async function present(result, candidate, attempt) {
  if (result.ended) {
    ended();
    return;
  }
  $("result").className = `result ${result.tone}`;
  $("result").dataset.seat = result.seat ?? "";
  $("result-mark").textContent = result.mark;
  $("result-title").textContent = result.title;
  $("result-detail").textContent = result.detail;
  $("result-note").textContent = result.note ?? "";
  $("again").hidden = !result.again;
  $("again").onclick = () => checkIn(candidate, { insist: result.insist, sure: true });
  show("result");
  $("result-title").focus();
  await wait(SHOWN_MS[result.tone]);
  if (attempt === attemptNumber) ready();
}

/** Keys that are meant for no field: a reader types wherever the page is. */
function onKey(event) {
  if (event.key === "Escape" && !$("setup").open && ["ready", "scan", "confirm", "going", "capture", "result"].includes(stage)) ready();
  if ($("setup").open || event.ctrlKey || event.metaKey || event.altKey) return;
  const isText = event.key.length === 1 && event.key !== " ";
  if (stage === "result" && isText) ready();
  if (stage === "ready" && isText && document.activeElement !== $("candidate")) $("candidate").focus();
  if (stage !== "confirm") return;
  if (isText) {
    typed += event.key;
    event.preventDefault();
  } else if (event.key === "Enter" && typed) {
    // The next card while this name is asked about: Enter is its end, and no yes to somebody else's name.
    event.preventDefault();
    const number = cleaned(typed);
    typed = "";
    if (number !== claimed) give(number);
  }
}

// ---- start ----------------------------------------------------------------------------------------------

/** Tell the console that this kiosk is there, and how it fares. */
async function giveSign() {
  const power = await /** @type {any} */ (navigator).getBattery?.().catch(() => null);
  const told = power ? { battery: power.level, charging: power.charging } : {};
  await call("POST", `/v1/sessions/${facts.session_id}/kiosks/sign`, { json: { camera: device.state, ...told } });
}

async function refreshSession() {
  try {
    const session = await call("GET", `/v1/sessions/${facts.session_id}`, { timeout: CLAIM_MS });
    offline(false);
    giveSign().catch(() => {});
    reserve.heard(session.server_time).then(() => reserve.deliver());
    looks = session.faces !== "off";
    watches = session.motion !== "off";
    searches = session.identification && !moving.isAtExit();
    $("session").textContent = t("kiosk.session", { exam: session.exam_name, room: session.room });
    $("window").textContent = t(`kiosk.state_${session.state}`, { opens: clock(session.opens_at), closes: clock(session.closes_at) });
    if (session.state === "closed") {
      if (!["sending", "result"].includes(stage)) closed(session);
    } else if (stage === "closed") ready();
  } catch (error) {
    if (error instanceof Problem && (error.status === 401 || error.status === 403)) {
      if (stage !== "sending" && stage !== "closed") ended();
      // What was taken before the end may still be delivered.
      else reserve.deliver();
    } else {
      offline(error instanceof Offline);
      if (isAway && reserve.pack) showAlone();
    }
  }
}

/** The session as the tablet knows it. */
function showAlone() {
  const { exam_name: exam, room, opens_at, closes_at } = reserve.pack;
  $("session").textContent = t("kiosk.session", { exam, room });
  if (!reserve.contact) return;
  const state = reserve.state;
  $("window").textContent = t(`kiosk.state_${state}`, { opens: clock(opens_at), closes: clock(closes_at) });
  if (state === "closed" && !["sending", "result", "closed"].includes(stage)) closed({ ...reserve.pack, state });
}

function listen() {
  $("candidate-form").addEventListener("submit", (event) => {
    event.preventDefault();
    give($("candidate").value);
  });
  $("candidate").addEventListener("input", dropUnused);
  document.addEventListener("keydown", onKey);
  for (const id of ["cancel", "next", "no", "not-going"]) $(id).addEventListener("click", ready);
  $("scan-card").addEventListener("click", scanCard);
  $("document").addEventListener("click", byDocument);
  $("set-up").addEventListener("click", () => openSetup(device, facts.session_id));
  $("setup").addEventListener("close", () => stage === "ready" && $("candidate").focus());
  addEventListener("kiosk-mode", () => {
    moving.showMode();
    refreshSession();
  });
  addEventListener("offline", () => offline(true));
  addEventListener("online", refreshSession);
  addEventListener("pointerdown", () => stayAwake(), { once: true });
}

async function start() {
  $("old-browser").remove();
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    openWith($("key").value);
  });
  $("another").addEventListener("click", signInStage);
  reserve.changed = showNetwork;
  await reserve.open();
  install();
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
    // Whoever comes late meets words that are meant for them, not a form that is meant for the staff.
    const before = await call("GET", "/kiosk/session").catch(() => null);
    if (before?.state === "closed") closed(before);
    else signInStage();
    // The kiosk has ended; what it took before may still be delivered.
    reserve.deliver();
    setInterval(() => reserve.deliver(), REFRESH_MS);
    return;
  }
  $("set-up").hidden = false;
  listen();
  showKeypad($("keypad"), $("candidate"));
  moving.showMode();
  await refreshSession();
  setInterval(refreshSession, REFRESH_MS);
  await device.start();
  if (stage === "") ready();
  // Once the camera has been looked at, and not only in a quarter of a minute.
  await wait(1000);
  giveSign().catch(() => {});
}

start();
