"""A running server, and a browser in front of it whose camera shows a film of a real face."""

import io
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from embedding.embedder import Embedder
from service.access.scopes import Scope
from service.app import create_app
from service.parts import Parts
from service.settings import Settings

BROWSER_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)
FILM_SIZE = (640, 480)
FILM_FRAMES = 12
PATIENCE_MS = 60_000


@dataclass(frozen=True)
class Desk:
    """A server with at most one exam; `session_id` names its open session, with nobody on its roster yet."""

    base: str
    parts: Parts
    admin: str
    session_id: str

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request as the administrator."""
        headers = {"Authorization": f"Bearer {self.admin}"} | options.pop("headers", {})
        answer = httpx.request(method, self.base + path, headers=headers, timeout=60, **options)
        assert answer.is_success, answer.text
        return answer

    def seat(self, *candidates: tuple[str, str, str]) -> None:
        """Put (number, name, seat) on the roster; people that are not known yet are added."""
        rows = ["external_id,display_name,seat", *(",".join(candidate) for candidate in candidates)]
        path = f"/v1/sessions/{self.session_id}/roster?create_subjects=true"
        self.call("PUT", path, content="\n".join(rows).encode(), headers={"Content-Type": "text/csv"})

    def enrol(self, external_id: str, picture: bytes) -> None:
        """Enrol a photo of somebody on the roster."""
        self.call("POST", f"/v1/subjects/ext:{external_id}/templates", files={"image": picture})

    def arrive(
        self, candidate: str | None, picture: bytes, session_id: str = "", frames: Sequence[bytes] = ()
    ) -> httpx.Response:
        """Somebody before a door's camera, of this session or another; whatever becomes of it."""
        return httpx.post(
            f"{self.base}/v1/sessions/{session_id or self.session_id}/checkins",
            headers={"Authorization": f"Bearer {self.admin}"},
            data={} if candidate is None else {"candidate": candidate},
            files=[("image", picture), *(("frames", one) for one in frames)],
            timeout=60,
        )

    def kiosk_key(self) -> str:
        """A key that opens the kiosk of the session."""
        path = f"/v1/sessions/{self.session_id}/kiosk-keys"
        return str(self.call("POST", path, json={"name": "Door 1"}).json()["key"])

    def reopen(self, opens: timedelta, closes: timedelta) -> None:
        """Move the session's window, counted from now."""
        self.call(
            "PATCH",
            f"/v1/sessions/{self.session_id}",
            json=window(opens, closes) | {"reason": "for the test"},
        )


def window(opens: timedelta, closes: timedelta) -> dict[str, str]:
    """A session's window, counted from now."""
    now = datetime.now(UTC)
    return {"opens_at": (now + opens).isoformat(), "closes_at": (now + closes).isoformat()}


@pytest.fixture
def new_desk(
    settings_for: Callable[..., Settings], embedder: Embedder, empty_sqlite: bytes
) -> Iterator[Desk]:
    """The real server on a port of this machine, without an exam."""
    settings = settings_for(job_folders=(Path("/faces"),))
    (settings.data_dir / "invigil.db").write_bytes(empty_sqlite)
    parts = Parts.around(settings, embedder)
    admin = parts.keys.create("Registrar", [Scope.ADMIN], actor="test")[1]
    server = uvicorn.Server(uvicorn.Config(create_app(parts), port=0, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield Desk(address_of(server), parts, admin, "")
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def desk(new_desk: Desk) -> Desk:
    """The same with an open session."""
    return replace(new_desk, session_id=open_session(new_desk))


def address_of(server: uvicorn.Server) -> str:
    """Where the server listens, once it does."""
    until = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < until, "the server did not start"
        time.sleep(0.02)
    return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"


def open_session(desk: Desk) -> str:
    """An exam with one room that is open now."""
    now = datetime.now(UTC)
    times = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=3)).isoformat()}
    exam = desk.call("POST", "/v1/exams", json={"name": "Linear Algebra", **times}).json()
    room = {"room": "Hall A", **window(timedelta(minutes=-5), timedelta(hours=2))}
    return str(desk.call("POST", f"/v1/exams/{exam['id']}/sessions", json=room).json()["id"])


def film_of(picture: bytes, path: Path) -> Path:
    """A film (YUV4MPEG2) of a photograph, moved a little from frame to frame as a person would."""
    photo = Image.open(io.BytesIO(picture)).convert("RGB")
    scale = FILM_SIZE[1] * 1.05 / photo.height
    photo = photo.resize((round(photo.width * scale), round(photo.height * scale)))
    with path.open("wb") as film:
        film.write(f"YUV4MPEG2 W{FILM_SIZE[0]} H{FILM_SIZE[1]} F10:1 Ip A1:1 C420jpeg\n".encode())
        for number in range(FILM_FRAMES):
            film.write(b"FRAME\n" + frame_of(photo, number))
    return path


def frame_of(photo: Image.Image, number: int) -> bytes:
    """One frame as its planes: brightness, then both colours at half the size."""
    sway = round(4 * np.sin(2 * np.pi * number / FILM_FRAMES))
    sheet = Image.new("RGB", FILM_SIZE, (96, 104, 112))
    sheet.paste(photo, ((FILM_SIZE[0] - photo.width) // 2 + sway, -sway))
    y, blue, red = sheet.convert("YCbCr").split()
    half = (FILM_SIZE[0] // 2, FILM_SIZE[1] // 2)
    return y.tobytes() + blue.resize(half).tobytes() + red.resize(half).tobytes()


@pytest.fixture(scope="session")
def chromium() -> str:
    """The system's Chromium; without one the tests of the pages skip."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if (found := shutil.which(name)) is not None:
            return found
    pytest.skip("no Chromium: `apt-get install chromium` (Debian) brings one for the tests of the pages")


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright itself; it keeps an event loop in this thread, which other modules' tests must not meet."""
    # A page may wait for its network and for a busy machine; how long is no part of any test.
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as started:
        yield started


@pytest.fixture
def browse(chromium: str, playwright: Playwright, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open a browser page; `film` is the photograph that its camera shows. A script error fails the test."""
    errors: list[str] = []
    with ExitStack() as open_browsers:

        def open_page(
            film: bytes | None = None, width: int = 1280, height: int = 800, **context: Any
        ) -> Page:
            flags = list(BROWSER_FLAGS)
            if film is not None:
                flags.append(f"--use-file-for-fake-video-capture={film_of(film, tmp_path / 'camera.y4m')}")
            browser: Browser = playwright.chromium.launch(executable_path=chromium, args=flags)
            open_browsers.callback(browser.close)
            # What passes through a worker, no test can hold up or send back.
            workers = {"service_workers": "block"}
            page = browser.new_page(viewport={"width": width, "height": height}, **workers | context)
            page.set_default_timeout(PATIENCE_MS)
            page.on("pageerror", lambda error: errors.append(str(error)))
            return page

        yield open_page
    assert not errors, errors


@pytest.fixture
def hall(desk: Desk, astronaut_jpeg: bytes, stranger_jpeg: bytes) -> Desk:
    """The session with two enrolled candidates."""
    desk.seat(("1001", "Eileen Collins", "A1"), ("1002", "Grace Hopper", "A2"))
    desk.enrol("1001", astronaut_jpeg)
    desk.enrol("1002", stranger_jpeg)
    return desk


def open_kiosk(page: Page, hall: Desk) -> None:
    """The kiosk of the session, ready for a number."""
    page.goto(f"{hall.base}/kiosk#key={hall.kiosk_key()}")
    expect(page.locator("#candidate")).to_be_focused()


def give(page: Page, number: str) -> None:
    """Type a number, as a reader of cards does."""
    page.keyboard.type(number)
    page.keyboard.press("Enter")


def give_when_free(page: Page, number: str) -> None:
    """Type a number as soon as the kiosk waits for one."""
    expect(page.locator("#candidate")).to_be_focused()
    give(page, number)


def claim(page: Page, number: str) -> None:
    """Give a number, and say that the name is one's own."""
    give(page, number)
    expect(page.locator("#yes")).to_be_focused()
    page.keyboard.press("Enter")


def enter_key(page: Page, key: str) -> None:
    """Give the console a key, as a machine signs in; nothing waits for the answer."""
    page.get_by_text("Sign in with a key instead").click()
    page.fill("#key", key)
    page.keyboard.press("Enter")


def sign_in_by_key(page: Page, key: str) -> None:
    """Enter a key and wait until the page is drawn anew: an address that is opened before then is lost."""
    enter_key(page, key)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


@pytest.fixture
def console(desk: Desk, browse: Callable[..., Page]) -> Page:
    """The console, signed in as the administrator."""
    page = browse()
    page.goto(f"{desk.base}/console")
    sign_in_by_key(page, desk.admin)
    expect(page.locator("h1")).to_have_text("Today")
    return page
