"""One kiosk and a scripted person: seconds from the number to the answer, and how often the page looks.

`python -m benchmarks door`. The demonstration's people give their numbers one after the other, need a second
to say that the name is theirs and another to step before the camera, and move as people do.
"""

import json
import statistics
import time
import urllib.request
from dataclasses import dataclass

from playwright.sync_api import Page
from rich.console import Console

from benchmarks.browser import demonstration, find_browser, open_page, script_camera

PEOPLE = 10
NAME_MS = 1000
STEP_MS = 1000
ALLOWED_SECONDS = 8.0
LEAST_LOOKS = 8.0
MOST_QUESTIONS = 2.0

# Whoever is said to stand there.
BEFORE_THE_CAMERA = "() => window.standing || null"

COUNT_LOOKS = """() => {
    window.looks = [];
    const read = CanvasRenderingContext2D.prototype.getImageData;
    CanvasRenderingContext2D.prototype.getImageData = function (...piece) {
        // Of a detail of 128 × 128 only the page's own eye takes a look.
        const isLook = this.canvas.width === 128 && document.body.dataset.stage === "capture";
        if (isLook) window.looks.push(performance.now());
        return read.apply(this, piece);
    };
}"""


@dataclass(frozen=True)
class Passage:
    """One person at the kiosk.

    Attributes:
        seconds: From Enter after the number to the answer.
        looks: How often a second the page looked while the person stood before the camera.
        questions: How often a second the server was asked about a picture.
    """

    seconds: float
    looks: float
    questions: float
    tone: str


def run(console: Console) -> None:
    """Let the people pass and print the times."""
    browser = find_browser(console)
    if browser is None:
        return
    with demonstration() as demo, open_page(browser, 768, 1024) as page:
        script_camera(page, BEFORE_THE_CAMERA)
        page.add_init_script(f"({COUNT_LOOKS})()")
        page.goto(demo["kiosk"])
        page.wait_for_selector("#ready:not([hidden])")
        passages = [pass_by(page, number) for number in expected_people(demo)]
    times = [one.seconds for one in passages]
    admitted = sum(one.tone == "good" for one in passages)
    console.print(
        f"{len(passages)} people, {admitted} admitted: {statistics.median(times):.1f} s from number to "
        f"answer in the middle, {max(times):.1f} s at most, of {ALLOWED_SECONDS:.0f} s allowed; "
        f"{(NAME_MS + STEP_MS) / 1000:.0f} s of each are the person's own"
    )
    looks, asked = [one.looks for one in passages], [one.questions for one in passages]
    console.print(
        f"the page looks {min(looks):.1f} times a second or more, {statistics.median(looks):.1f} in the "
        f"middle (wanted: {LEAST_LOOKS:.0f}); the server is asked {max(asked):.1f} times a second at most "
        f"(allowed: {MOST_QUESTIONS:.0f})"
    )


def expected_people(demo: dict[str, str]) -> list[str]:
    """Numbers of people who may come and have not."""
    base = demo["kiosk"].partition("/kiosk")[0]
    asked = urllib.request.Request(
        f"{base}/v1/sessions/{demo['session_id']}/roster?limit=200",
        headers={"Authorization": f"Bearer {demo['admin_key']}"},
    )
    with urllib.request.urlopen(asked) as answer:
        items = json.load(answer)["items"]
    plain = ("manual_identification", "twin")
    ready = [
        one["external_id"]
        for one in items
        if one["status"] == "expected" and not any(one["flags"][name] for name in plain)
    ]
    return ready[:PEOPLE]


def pass_by(page: Page, number: str) -> Passage:
    """Somebody gives the number, says yes, steps before the camera and waits for the answer."""
    asked: list[float] = []

    def note(request: object) -> None:
        if "/v1/quality" in getattr(request, "url", ""):
            asked.append(time.perf_counter())

    page.evaluate("window.standing = ''; window.looks = [];")
    page.on("request", note)
    page.fill("#candidate", number)
    began = time.perf_counter()
    page.press("#candidate", "Enter")
    page.wait_for_selector("#confirm:not([hidden])")
    page.wait_for_timeout(NAME_MS)
    page.click("#yes")
    page.wait_for_timeout(STEP_MS)
    page.evaluate("number => { window.standing = number; }", number)
    page.wait_for_selector("#result:not([hidden])")
    seconds = time.perf_counter() - began
    tone = (page.get_attribute("#result", "class") or "").split()[-1]
    looks = page.evaluate("window.looks")
    page.remove_listener("request", note)
    page.evaluate("window.standing = ''")
    page.click("#next")
    page.wait_for_selector("#ready:not([hidden])")
    return Passage(seconds, rate_of(looks, 1000), rate_of(asked, 1), tone)


def rate_of(moments: list[float], per_second: float) -> float:
    """How many a second; 0 of fewer than two."""
    if len(moments) < 2:
        return 0.0
    return (len(moments) - 1) / (moments[-1] - moments[0]) * per_second
