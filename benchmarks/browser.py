"""A browser for the benchmarks of pages: a page, people before its camera, a demonstration to look at."""

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

PATIENCE_MS = 60_000
STARTING_SECONDS = 300

# Whoever `standing` says is there, carried into the picture a while after it said so; before that, and where
# it says nobody, the empty room. The frames show the person turning a little.
_SCRIPTED_CAMERA = """(standing, carried) => {
    const canvas = document.createElement("canvas");
    canvas.width = 640;
    canvas.height = 480;
    const pen = canvas.getContext("2d");
    let shown = null, since = 0, frames = [], at = 0;
    setInterval(() => {
        const who = standing();
        if (who !== shown) {
            shown = who;
            since = performance.now();
            frames = who === null ? [] : [30, 31, 32, 33, 34, 35].map((number) => {
                const frame = new Image();
                frame.src = `/demo/people/${who}/${number}.jpg`;
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


def find_browser(console: Console) -> str | None:
    """The Chromium of this machine; without one, says so."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        console.print("A Chromium is needed to look at the pages; there is none.")
    return browser


@contextmanager
def open_page(browser: str, width: int, height: int) -> Iterator[Page]:
    """An empty page of this size in a browser of its own."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        try:
            page = chromium.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(PATIENCE_MS)
            yield page
        finally:
            chromium.close()


def script_camera(page: Page, standing: str, carried_ms: int = 0) -> None:
    """Give every page that is opened a camera of its own.

    Args:
        page: Before it opens anything.
        standing: A JavaScript function: the number of whoever is before the camera, null for nobody.
        carried_ms: How long whoever is new takes to be there.
    """
    page.add_init_script(f"({_SCRIPTED_CAMERA})({standing}, {carried_ms})")


def sign_in(page: Page, console: str, key: str) -> None:
    """Sign in to the console at this address as a machine does."""
    page.goto(console)
    page.get_by_text("Sign in with a key instead").click()
    page.fill("#key", key)
    page.keyboard.press("Enter")
    page.wait_for_selector("#nav a")


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
