// What decided: the map of both faces over their pictures, in signs, colours and words.

import { call, h, language, t } from "./page.js";
import { announce, notice } from "./ui.js";

const CELLS = 7;
const SHOWN = 0.12; // A place that counts less than this part of the largest is left out.
const NAMED = 0.3;
const FILLED = 0.8; // The part of its frame that a face takes at least while its map is shown.
const SVG = "http://www.w3.org/2000/svg";

/**
 * The places of an aligned face by rows and columns of its cells; the first that holds a cell counts.
 *
 * @type {[string, (row: number, column: number) => boolean][]}
 */
const PLACES = [
  ["forehead", (row) => row < 2],
  ["eyes", (row) => row < 4],
  ["nose", (row, column) => row === 4 && column > 1 && column < 5],
  ["mouth", (row, column) => row === 5 && column > 1 && column < 5],
  ["cheeks", (row, column) => row < 6 && (column < 2 || column > 4)],
  ["chin", () => true],
];

/**
 * A button that brings the map of a case over both of its faces.
 *
 * @param {any} attempt
 * @param {HTMLElement} shown What `faces` has made of it.
 */
export function whatDecided(attempt, shown) {
  const frames = [...shown.querySelectorAll(".face")];
  if (!attempt.decision || !attempt.has_thumbnail || !attempt.has_enrolment_picture || frames.length < 2) return "";
  const place = h("div.stack", { id: "explanation" });
  const ask = async () => {
    button.disabled = true;
    try {
      place.replaceChildren(...(await explained(attempt, frames)));
      place.querySelector("input")?.focus();
      announce(place.querySelector("ul.says")?.textContent ?? "");
    } catch (error) {
      button.disabled = false;
      place.replaceChildren(notice("bad", error.message), ...offer);
    }
  };
  const button = h("button", { type: "button", onclick: ask }, t("explain.show"));
  const offer = [h("div", {}, button), h("p.muted.small", {}, t("explain.help"))];
  place.append(...offer);
  return place;
}

async function explained(attempt, frames) {
  const found = await call("GET", `/v1/checkins/${attempt.id}/explanation`, { timeout: 60000 });
  const maps = [["case.at_door", found.probe], ["case.at_enrolment", found.enrolment]];
  const largest = Math.max(...maps.flatMap(([, map]) => map.cells.flat().map(Math.abs))) || 1;
  const says = maps.map(([face, map]) => sentences(t(face), map.cells));
  const drawn = maps.map(([, map], which) => overlay(frames[which], map, largest, says[which].join(" ")));
  const turn = (event) => drawn.forEach((one, which) => {
    one?.toggleAttribute("hidden", !event.target.checked);
    closer(frames[which], event.target.checked ? maps[which][1] : null);
  });
  maps.forEach(([, map], which) => closer(frames[which], map));
  return [
    h("label.check", {}, h("input", { type: "checkbox", checked: true, onchange: turn }), t("explain.overlay")),
    h("ul.signs", {}, ["near", "far"].map((sign) => h("li", {}, key(sign), h("span", {}, t(`explain.${sign}`))))),
    h("ul.says", {}, says.flat().map((text) => h("li", {}, text))),
    h("p.muted.small", {}, t("explain.size"), found.d === undefined ? "" : ` ${t("explain.d", { d: found.d.toFixed(3) })}`),
  ];
}

/** Which places of a face made the two near and which kept them apart, the strongest first. */
function sentences(face, cells) {
  const sums = new Map();
  cells.forEach((row, y) => row.forEach((value, x) => {
    const [name] = PLACES.find(([, holds]) => holds(y, x));
    sums.set(name, (sums.get(name) ?? 0) + value);
  }));
  const largest = Math.max(...[...sums.values()].map(Math.abs));
  const list = new Intl.ListFormat(language, { type: "conjunction" });
  const told = (key, sign) => {
    const named = [...sums].filter(([, sum]) => sum * sign > NAMED * largest).sort(([, a], [, b]) => (b - a) * sign);
    return named.length ? [t(`explain.${key}`, { face, places: list.format(named.map(([name]) => t(`explain.place.${name}`))) })] : [];
  };
  return [...told("near_by", 1), ...told("far_by", -1)];
}

/** The map over a picture, which may show more than the face; nothing where there is no picture. */
function overlay(frame, { cells, corners }, largest, label) {
  const picture = frame.querySelector("img");
  if (!picture?.naturalWidth) return null;
  const { naturalWidth: width, naturalHeight: height } = picture;
  // The picture fills its frame, and so does what lies over it.
  const drawing = node("svg", { class: "cells", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "xMidYMid slice", role: "img", "aria-label": label });
  const [[left, top], [right, topOfRight], , [leftOfBottom, bottom]] = corners.map(([x, y]) => [x * width, y * height]);
  const step = [(right - left) / CELLS, (topOfRight - top) / CELLS, (leftOfBottom - left) / CELLS, (bottom - top) / CELLS];
  // In the face's own cells: a cell is 1 wide, wherever the face lies and however it is turned.
  const face = node("g", { transform: `matrix(${[...step, left, top].join(" ")})` });
  cells.forEach((row, y) => row.forEach((value, x) => {
    const strength = Math.abs(value) / largest;
    if (strength >= SHOWN) face.append(cell(x, y, value > 0 ? "near" : "far", strength));
  }));
  drawing.append(face);
  frame.append(drawing);
  return drawing;
}

/** Bring a small face close while its map is shown; null gives the whole picture back. */
function closer(frame, map) {
  const picture = frame.querySelector("img");
  if (!picture?.naturalWidth) return;
  const { naturalWidth: width, naturalHeight: height } = picture;
  const side = Math.min(width, height);
  const inFrame = (map?.corners ?? []).map(([x, y]) => [(x * width - (width - side) / 2) / side, (y * height - (height - side) / 2) / side]);
  const [[left, top], , [right, bottom]] = map ? inFrame : [[0, 0], [1, 1], [1, 1]];
  const zoom = Math.max(1, FILLED / Math.hypot((right - left) / Math.SQRT2, (bottom - top) / Math.SQRT2));
  const moved = zoom > 1 && map ? `translate(50%, 50%) scale(${zoom}) translate(${-50 * (left + right)}%, ${-50 * (top + bottom)}%)` : "";
  for (const one of frame.children) one.style.transform = moved;
}

function cell(x, y, sign, strength) {
  const arm = 0.12 + 0.28 * Math.sqrt(strength);
  const path = sign === "near" ? `M${-arm} 0H${arm}M0 ${-arm}V${arm}` : `M${-arm} 0H${arm}`;
  const made = node("g", { class: sign, transform: `translate(${x + 0.5} ${y + 0.5})` });
  made.append(
    node("rect", { x: -0.5, y: -0.5, width: 1, height: 1, "fill-opacity": 0.15 + 0.45 * strength }),
    node("path", { d: path, class: "edge" }),
    node("path", { d: path, class: "sign" }));
  return made;
}

function key(sign) {
  const drawing = node("svg", { class: "cells key", viewBox: "0 0 1 1", "aria-hidden": "true" });
  drawing.append(cell(0, 0, sign, 1));
  return drawing;
}

function node(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}
