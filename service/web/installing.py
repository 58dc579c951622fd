"""The kiosk as an installed page: its service worker, with the version and the files that it keeps."""

import hashlib
import json
from functools import cache

from fastapi import APIRouter
from starlette.responses import JSONResponse, Response

from service.languages import STRINGS
from service.web.places import STATIC, TEMPLATES

VERSION_HEADER = "X-Kiosk-Version"
HEADERS = {
    "Content-Security-Policy": "default-src 'self'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
WORKER = STATIC / "js" / "kiosk" / "worker.js"
DRAWN = ("kiosk.html", "base.html", "language.html")

router = APIRouter(include_in_schema=False)


@router.get("/kiosk/worker.js")
def show_worker() -> Response:
    """The worker; it may look after `/kiosk` itself, which is not below its own address."""
    return Response(
        worker_text(), media_type="text/javascript", headers={**HEADERS, "Service-Worker-Allowed": "/kiosk"}
    )


@router.get("/kiosk/app.webmanifest")
def show_manifest() -> Response:
    """What the kiosk is called where it is put on a tablet's home screen."""
    icon = {"src": "/static/icon.svg", "sizes": "any", "type": "image/svg+xml"}
    told = {
        "name": "Invigil",
        "start_url": "/kiosk",
        "scope": "/kiosk",
        "display": "fullscreen",
        "icons": [icon],
    }
    return JSONResponse(told, media_type="application/manifest+json", headers=HEADERS)


@cache
def kept_files() -> list[str]:
    """The paths of everything that the kiosk's page is made of."""
    scripts = [STATIC / "js" / f"{name}.js" for name in ("kiosk", "page", "camera", "glance", "kept")]
    scripts += sorted(one for one in (STATIC / "js" / "kiosk").glob("*.js") if one != WORKER)
    files = [STATIC / "style.css", STATIC / "icon.svg", *scripts]
    return [f"/static/{one.relative_to(STATIC).as_posix()}" for one in files]


@cache
def version() -> str:
    """Changes with whatever the kiosk's page is made of."""
    digest = hashlib.sha256(WORKER.read_bytes())
    for path in kept_files():
        digest.update((STATIC / path.removeprefix("/static/")).read_bytes())
    for name in DRAWN:
        digest.update((TEMPLATES / name).read_bytes())
    for strings in sorted(STRINGS.glob("*.json")):
        digest.update(strings.read_bytes())
    return digest.hexdigest()[:16]


def worker_text() -> str:
    """The worker's program."""
    head = f"self.kept = {json.dumps({'version': version(), 'files': kept_files()})};\n"
    return head + WORKER.read_text(encoding="utf-8")
