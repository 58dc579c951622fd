"""The first page and the interactive documentation; every asset is ours, for the room may be offline."""

import secrets
from importlib import resources
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from service.api.inputs import PartsHere
from service.web import desk, installing, issuer, pairing, self_enrolment, withdrawal
from service.web.places import STATIC, TEMPLATES

SWAGGER = Path(str(resources.files("fastapi_swagger"))) / "resources"

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(TEMPLATES)


@router.get("/", response_class=HTMLResponse)
def first_page(request: Request, parts: PartsHere) -> HTMLResponse:
    """What this is, how to enrol and verify, and what the model can do."""
    context = {
        "base": str(request.base_url).rstrip("/"),
        "policy": parts.policy,
        "calibration": parts.policy.calibration,
        "duplicate_fmr": parts.model.duplicate_fmr,
        "manifest": parts.embedder.bundle.manifest,
        "model_id": parts.embedder.model_id,
    }
    return templates.TemplateResponse(request, "first.html", context, headers=desk.HEADERS)


@router.get("/docs", response_class=HTMLResponse)
def interactive_docs() -> HTMLResponse:
    """Swagger UI on the OpenAPI document; its one script in the page is known by a number used once."""
    page = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Invigil API",
        swagger_js_url="/swagger/swagger-ui-bundle.js",
        swagger_css_url="/swagger/swagger-ui.css",
        swagger_favicon_url="/static/icon.svg",
        swagger_ui_parameters={
            "persistAuthorization": False,
            "tryItOutEnabled": True,
            "docExpansion": "none",
        },
    )
    nonce = secrets.token_urlsafe(16)
    text = (
        bytes(page.body)
        .decode()
        .replace("<script>", f'<script nonce="{nonce}">')
        .replace("<html>", '<html lang="en">')
    )
    policy = desk.HEADERS["Content-Security-Policy"].replace(
        "default-src 'self'", f"default-src 'self'; script-src 'self' 'nonce-{nonce}'"
    )
    return HTMLResponse(text, headers={**desk.HEADERS, "Content-Security-Policy": policy})


def mount(app: FastAPI) -> None:
    """Add the pages and their assets to the application."""
    app.include_router(router)
    app.include_router(desk.router)
    app.include_router(issuer.router)
    app.include_router(pairing.router)
    app.include_router(installing.router)
    app.include_router(withdrawal.router)
    app.include_router(self_enrolment.router)
    app.mount("/enrol/static", StaticFiles(directory=STATIC), name="static-outside")
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.mount("/swagger", StaticFiles(directory=SWAGGER), name="swagger")
