"""The web application: the one place where parts and routes are put together."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, TypeVar

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import Message, Receive, Scope, Send

from index.audit import Origin
from index.clock import CLOCK_FILE, ClockWatch, require_steady
from index.consent.expiry import sweep_expired
from index.errors import ClockLeapt, DatabaseError
from index.tables import utc_now
from service.api import (
    audit_events,
    cards,
    checkins,
    compare,
    complaints,
    enrolments,
    exams,
    explanations,
    gallery,
    groups_report,
    health,
    installation,
    jobs,
    keys,
    kiosks,
    list_layouts,
    live,
    me,
    metrics,
    model_shadow,
    model_use,
    models,
    movements,
    operators,
    paper,
    paperwork,
    portraits,
    proposals,
    quality,
    queue,
    reports,
    retention,
    rooms,
    roster,
    scan,
    search,
    sessions,
    subjects,
    templates,
    verify,
    waiting,
    webhooks,
    withdrawals,
)
from service.contract.describing import complete
from service.exams.checkin.todays import next_closing, purge_todays
from service.exams.evidence.sweeping import sweep
from service.exams.holds import held_people
from service.exams.kiosks import purge_codes
from service.exams.offline.sealing import purge_queue_keys
from service.http.bodies import BoundedBodies
from service.http.parameters import Parameters, parameters_of, scopes_of
from service.http.stopping import before_stopping
from service.http.tracing import Tracing
from service.logs import configure_logs, log
from service.parts import Parts
from service.problems import DOCUMENTED, answer_problems, problem_schemas
from service.settings import Settings
from service.template_keys import TemplateKeys
from service.web import pages

T = TypeVar("T")

PURGE_SECONDS = 3600
PURGE_RETRY_SECONDS = 60
CLOSING_SECONDS = 30.0
"""How soon after the end of a session is looked for what goes with it."""
SAMPLE_SECONDS = 1.0

RESOURCES = (
    subjects,
    templates,
    enrolments,
    portraits,
    proposals,
    withdrawals,
    verify,
    compare,
    complaints,
    search,
    quality,
    scan,
    cards,
    models,
    model_use,
    model_shadow,
    movements,
    jobs,
    keys,
    webhooks,
    kiosks,
    operators,
    paper,
    paperwork,
    me,
    audit_events,
    exams,
    sessions,
    roster,
    list_layouts,
    checkins,
    explanations,
    gallery,
    queue,
    live,
    waiting,
    rooms,
    reports,
    groups_report,
    retention,
    installation,
    health,
    metrics,
)


class Application(FastAPI):
    """FastAPI, with problem documents in its OpenAPI document."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve; a fault that was answered and logged is no reason to tear the connection down.

        HEAD is GET without the body, on every route.
        """
        is_answered, is_head = False, scope["type"] == "http" and scope["method"] == "HEAD"
        if is_head:
            scope = {**scope, "method": "GET"}

        async def noted(message: Message) -> None:
            nonlocal is_answered
            if is_head and is_answered:
                return
            if is_head and message["type"] == "http.response.body":
                # A stream would go on for ever; who asked hears the end, and the stream a disconnect.
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)
            is_answered = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await super().__call__(scope, receive, noted)
        except Exception:
            if not is_answered:
                raise

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, made when it is first asked for."""
        if self.openapi_schema is None:
            document = super().openapi()
            document["components"]["schemas"].update(problem_schemas())
            complete(document, self.state.scopes)
        return super().openapi()


def from_environment() -> FastAPI:
    """The application as the environment describes it (`uvicorn service.app:from_environment --factory`)."""
    configure_logs()
    return open_app(Settings())


def open_app(settings: Settings) -> FastAPI:
    """The application with everything opened, in a process that serves nothing else.

    Raises:
        EmbeddingError, GalleryError, ServiceError: As `Parts.open`.
    """
    app = create_app(Parts.open(settings))
    keep_loaded()
    return app


def keep_loaded() -> None:
    """Tells the collector that what is loaded stays for good.

    Else it looks through 200,000 objects of libraries and routes now and then, and every request waits for
    longer than a picture takes.
    """
    gc.collect()
    gc.freeze()


def create_app(parts: Parts) -> FastAPI:
    """The application on open parts, which it closes when it stops."""
    app = describe_app()
    app.state.parts = parts
    app.add_middleware(BoundedBodies, seconds=parts.settings.upload_seconds)
    app.add_middleware(Tracing, metrics=parts.metrics)
    return app


def describe_app() -> FastAPI:
    """Every route and every answer to an error; enough for its OpenAPI document, not to serve."""
    app = Application(
        title="Invigil",
        version="1",
        summary="Self-hosted face verification for exam check-in, with error rates you can see.",
        lifespan=lifespan,
        # The pages of FastAPI load Swagger UI from a CDN; ours come from this host (service/web).
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=DOCUMENTED,
        generate_unique_id_function=operation_id,
    )
    answer_problems(app)
    methods: dict[str, set[str]] = {}
    parameters: Parameters = {}
    scopes: dict[tuple[str, str], tuple[str, ...] | None] = {}
    for resource in RESOURCES:
        app.include_router(resource.router)
        for route in resource.router.routes:
            if isinstance(route, APIRoute):
                methods.setdefault(route.path, set()).update(route.methods or ())
                parameters |= parameters_of(route)
                scopes |= {(route.path, method): scopes_of(route) for method in route.methods or ()}
    app.state.methods, app.state.parameters, app.state.scopes = methods, parameters, scopes
    pages.mount(app)
    return app


def operation_id(route: APIRoute) -> str:
    """The function's own name: what generated clients call the operation."""
    return route.name


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Watch the gauges and purge old answers while the application runs."""
    parts: Parts = app.state.parts
    parts.watch()
    before_stopping(parts.live.close)
    tasks = [asyncio.create_task(work) for work in (purge_forever(parts), sample_forever(parts))]
    if (keys := TemplateKeys(parts.settings)).file.exists():
        log.info("template_key_file", note=keys.where())
    log.info("started", model_id=parts.embedder.model_id, calibration_id=parts.policy.calibration.id)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await noted_head(parts)
        parts.close()
        log.info("stopped")


async def sample_forever(parts: Parts) -> None:
    """Say again and again how the gauges stand: any process of this port may be asked for all of them."""
    while True:
        try:
            parts.metrics.sample()
        except Exception:
            log.exception("sample_failed")
        await asyncio.sleep(SAMPLE_SECONDS)


async def run_to_end(work: Callable[..., T], *args: object) -> T:
    """Do something in a thread, and wait for its end even where the caller is cancelled.

    A thread cannot be stopped, and what it writes must come before the newest event is noted and the database
    is closed.
    """
    running = asyncio.ensure_future(asyncio.to_thread(work, *args))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise


async def note_head(parts: Parts) -> None:
    """Write the newest audit event down outside the database."""
    if parts.anchoring is not None:
        await run_to_end(parts.anchoring.note)


async def noted_head(parts: Parts) -> bool:
    """As `note_head`, for a loop that a fault of ours must not end."""
    try:
        await note_head(parts)
    except Exception:
        log.exception("audit_head_not_noted")
        return False
    return True


async def purge_forever(parts: Parts) -> None:
    """Forget outdated answers, and crops and exams whose retention is over, and note the audit chain's head:
    now, and then every hour.
    """
    watch = ClockWatch(parts.database, parts.settings.data_dir / CLOCK_FILE)
    while True:
        is_watched = await run_to_end(watch_clock, watch)
        is_done = [is_watched and await run_to_end(purge, name, parts) for name in PURGES]
        is_done.append(await run_to_end(watch_use, parts))
        is_done.append(await noted_head(parts))
        await rest(parts, PURGE_SECONDS if all(is_done) else PURGE_RETRY_SECONDS)


async def rest(parts: Parts, seconds: float) -> None:
    """Wait until the next round; what goes when a session closes does not wait for the hour."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (left := until - loop.time()) > 0:
        await asyncio.sleep(min(left, CLOSING_SECONDS))
        if await run_to_end(is_over, parts):
            await run_to_end(purge, "todays_templates", parts)


def is_over(parts: Parts) -> bool:
    """Whether a session has closed of which something is kept that goes then."""
    try:
        closes_at = next_closing(parts.database)
    except DatabaseError as error:
        log.warning("closing_not_watched", code=error.code)
        return False
    return closes_at is not None and closes_at <= utc_now()


def watch_clock(watch: ClockWatch) -> bool:
    """Notice a clock that has leapt before anything is deleted by it; returns whether that could be told."""
    try:
        if watch.look():
            log.warning("clock_leapt")
    except Exception:
        log.exception("clock_not_watched")
        return False
    return True


def watch_use(parts: Parts) -> bool:
    """Notice rates in use that have drifted; returns whether that could be told."""
    try:
        parts.use_watch.look(parts.following.serving)
    except Exception:
        log.exception("use_not_watched")
        return False
    return True


def purge(name: str, parts: Parts) -> bool:
    """Forget one kind of thing; returns whether that was done. What fails is logged and tried again soon."""
    try:
        # A clock that is ahead would take what is of a minute ago for old.
        with parts.database.read() as db:
            require_steady(db, utc_now())
        log.info("purged", **PURGES[name](parts))
    except (DatabaseError, ClockLeapt) as error:
        log.warning("purge_failed", what=name, code=error.code)
        return False
    except Exception:
        log.exception("purge_failed", what=name)
        return False
    return True


def purge_evidence(parts: Parts) -> dict[str, int]:
    """Exams, thumbnails and crops whose retention is over and that were announced a day before."""
    swept = sweep(parts.database, Origin("retention"))
    return {
        "exams": len(swept.purges),
        "thumbnails": swept.thumbnails,
        "crops": swept.crops,
        "announced": len(swept.announced),
    }


def purge_expired(parts: Parts) -> dict[str, int]:
    """People whose legal basis has ended, where the operator wants them erased: announced a day before."""
    days = parts.settings.erase_expired_after_days
    if days is None:
        return {}
    swept = sweep_expired(parts.database, timedelta(days=days), actor="retention", spared=held_people)
    return {"expired_announced": swept.announced, "expired_erased": swept.erased}


PURGES: dict[str, Callable[[Parts], dict[str, int]]] = {
    "evidence": purge_evidence,
    "expired_bases": purge_expired,
    "answers": lambda parts: {"idempotency_records": parts.idempotency.purge()},
    "proposals": lambda parts: {"proposals": parts.proposals.purge(actor="retention")},
    "enrolment_links": lambda parts: {"enrolment_links": parts.enrolment_links.purge()},
    "page_sessions": lambda parts: {"page_sessions": parts.page_sessions.purge()},
    "todays_templates": lambda parts: {"admission_templates": purge_todays(parts.database)},
    "queue_keys": lambda parts: {"queue_keys": purge_queue_keys(parts.database)},
    "kiosk_codes": lambda parts: {"kiosk_codes": purge_codes(parts.database)},
    "links": lambda parts: {"operator_links": parts.invitations.purge()},
    "sign_ins": lambda parts: {"sign_ins": parts.sign_ins.purge()},
    "guesses": lambda parts: {"failed_comparisons": parts.guesses.purge()},
    "webhooks": lambda parts: {"webhook_deliveries": parts.webhooks.purge()},
}
