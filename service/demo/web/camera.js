// The demonstration's camera: a picture of whoever is chosen, in place of the computer's own camera.

const FRAMES = 6;
/** Captures before this number were taken for enrolments. */
const FIRST = 30;
const FRAME_MS = 450;
const WIDTH = 640;
const HEIGHT = 480;

const canvas = document.createElement("canvas");
canvas.width = WIDTH;
canvas.height = HEIGHT;
const pen = canvas.getContext("2d");

const choice = document.createElement("select");
choice.id = "demo-person";
choice.setAttribute("aria-label", "Who stands before the simulated camera");

/** @type {HTMLImageElement[]} */
let frames = [];
let shown = 0;

/** Nobody is before the camera: whoever stood there must not be photographed for the next one. */
function empty() {
  frames = [];
  delete choice.dataset.shown;
  pen.fillStyle = "#555";
  pen.fillRect(0, 0, WIDTH, HEIGHT);
}

setInterval(() => {
  const ready = frames.filter((frame) => frame.complete && frame.naturalWidth);
  if (!ready.length) return;
  pen.drawImage(ready[(shown += 1) % ready.length], 0, 0, WIDTH, HEIGHT);
  choice.dataset.shown = choice.value;
}, FRAME_MS);

/** Let somebody stand before the camera. */
function stand(person) {
  empty();
  frames = Array.from({ length: FRAMES }, (_, number) => {
    const frame = new Image();
    frame.src = `/demo/people/${person}/${FIRST + number}.jpg`;
    return frame;
  });
}

Object.defineProperty(navigator, "mediaDevices", {
  value: { getUserMedia: async () => canvas.captureStream(10) },
});

empty();

async function offer() {
  const people = await (await fetch("/demo/people")).json();
  for (const { external_id, name } of people) choice.append(new Option(`${external_id} ${name}`, external_id));
  choice.addEventListener("change", () => stand(choice.value));
  const label = document.createElement("label");
  label.className = "small";
  label.append("Simulated camera: ", choice);
  document.querySelector("footer")?.prepend(label);
  choice.value = people.find(({ fate }) => fate === "expected").external_id;
  stand(choice.value);
}

offer();

export {};
