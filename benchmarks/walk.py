"""Twenty seats, one behind the other, by a tablet that is carried through the room.

`python -m benchmarks walk`. The demonstration's people sit at their seats before a scripted camera, which
needs two seconds to be carried to the next one; every fifth seat is empty, and takes a tap.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console

from benchmarks.server import free_port

SEATS = 20
EMPTY_EVERY = 5
CARRIED_MS = 2000
ALLOWED_SECONDS = 180
PATIENCE_MS = 60_000
STARTING_SECONDS = 300

# Whoever sits at the seat that the page asks for, a while after it asked; in between the empty room.
SCRIPTED_CAMERA = """(carried) => {
    const canvas = document.createElement("canvas");
    canvas.width = 640;
    canvas.height = 480;
    const pen = canvas.getContext("2d");
    let asked = null, since = 0, frames = [], at = 0;
    setInterval(() => {
        const seat = document.querySelector("#walk-card [data-candidate]")?.dataset.candidate ?? null;
        if (seat !== asked) {
            asked = seat;
            since = performance.now();
            frames = seat === null ? [] : [30, 31, 32, 33, 34, 35].map((number) => {
                const frame = new Image();
                frame.src = `/demo/people/${seat}/${number}.jpg`;
                return frame;
            });
        }
        at += 1;
        const ready = performance.now() - since < carried ? [] : frames.filter((frame) => frame.naturalWidth);
        pen.fillStyle = at % 2 ? "#555555" : "#575757";
        if (ready.length) pen.drawImage(ready[Math.floor(at / 4) % ready.length], 0, 0, 640, 480);
        else pen.fillRect(0, 0, 640, 480);
    }, 100);
    const getUserMedia = async () => canvas.captureStream(10);
    Object.defineProperty(navigator, "mediaDevices", { value: { getUserMedia } });
}"""


def run(console: Console) -> None:
    """Walk along twenty seats and print how long each took."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        console.print("A Chromium is needed to walk along the seats; there is none.")
        return
    with demonstration() as demo, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page(viewport={"width": 768, "height": 1024})
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(f"({SCRIPTED_CAMERA})({CARRIED_MS})")
        sign_in(page, demo)
        seconds = walk(page, demo)
        chromium.close()
    total = sum(seconds)
    console.print(
        f"{SEATS} seats in {total:.0f} s, of {ALLOWED_SECONDS} s allowed: {total / SEATS:.1f} s a seat, "
        f"the slowest {max(seconds):.1f} s; {CARRIED_MS / 1000:.0f} s of each carry the tablet"
    )


@contextmanager
def demonstration() -> Iterator[dict[str, str]]:
    """A demonstration on a port of its own, and where it says that everything is."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "demo.json"
        command = [sys.executable, "-m", "invigil", "demo", "--json", "--port", str(port)]
        command += ["--folder", str(Path(folder) / "demo")]
        with log.open("w") as output:
            process = subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL)
        try:
            yield read_addresses(log)
        finally:
            process.terminate()
            process.wait()


def read_addresses(log: Path) -> dict[str, str]:
    """What the demonstration prints once it runs.

    Raises:
        TimeoutError: If it does not.
    """
    until = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < until:
        text = log.read_text()
        try:
            found: dict[str, str] = json.JSONDecoder().raw_decode(text[max(0, text.find("{")) :])[0]
        except json.JSONDecodeError:
            time.sleep(0.5)
            continue
        return found
    raise TimeoutError("The demonstration did not start.")


def sign_in(page: Page, demo: dict[str, str]) -> None:
    """Sign in to the console as a machine does."""
    page.goto(demo["console"])
    page.get_by_text("Sign in with a key instead").click()
    page.fill("#key", demo["admin_key"])
    page.keyboard.press("Enter")
    page.wait_for_selector("#nav a")


def walk(page: Page, demo: dict[str, str]) -> list[float]:
    """Go along the seats; returns the seconds of each."""
    page.goto(f"{demo['console']}#/sessions/{demo['session_id']}/walk")
    page.wait_for_selector("#walk-seat")
    seconds = []
    for number in range(1, SEATS + 1):
        began = time.perf_counter()
        seat = page.locator("#walk-seat").inner_text()
        if number % EMPTY_EVERY == 0:
            page.wait_for_timeout(CARRIED_MS)
            page.locator("#walk-empty").click()
        page.wait_for_function("seat => document.querySelector('#walk-seat')?.textContent !== seat", arg=seat)
        seconds.append(time.perf_counter() - began)
    return seconds
