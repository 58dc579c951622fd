"""Twenty seats, one behind the other, by a tablet that is carried through the room.

`python -m benchmarks walk`. The demonstration's people sit at their seats before a scripted camera, which
needs two seconds to be carried to the next one; every fifth seat is empty, and takes a tap.
"""

import time

from playwright.sync_api import Page
from rich.console import Console

from benchmarks.browser import demonstration, find_browser, open_page, script_camera, sign_in

SEATS = 20
EMPTY_EVERY = 5
CARRIED_MS = 2000
ALLOWED_SECONDS = 180

# Whoever sits at the seat that the page asks for.
AT_THE_SEAT = """() => document.querySelector("#walk-card [data-candidate]")?.dataset.candidate ?? null"""


def run(console: Console) -> None:
    """Walk along twenty seats and print how long each took."""
    browser = find_browser(console)
    if browser is None:
        return
    with demonstration() as demo, open_page(browser, 768, 1024) as page:
        script_camera(page, AT_THE_SEAT, CARRIED_MS)
        sign_in(page, demo["console"], demo["admin_key"])
        seconds = walk(page, demo)
    total = sum(seconds)
    console.print(
        f"{SEATS} seats in {total:.0f} s, of {ALLOWED_SECONDS} s allowed: {total / SEATS:.1f} s a seat, "
        f"the slowest {max(seconds):.1f} s; {CARRIED_MS / 1000:.0f} s of each carry the tablet"
    )


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
