"""Every request gets an id, a log line and its measurements; every path keeps its percent-encoding."""

import re
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from index import audit
from index.ids import uuid7
from service.http.metrics import Metrics
from service.logs import log

REQUEST_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
API = "/v1/"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LONGEST_ADDRESS = 64
QUIET_ROUTES = frozenset({"/health/live", "/health/ready", "/metrics"})


SECURITY_HEADERS = {
    # Of an answer that is no page; the pages, which load scripts, say their own.
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}


class Tracing:
    """Middleware around everything: X-Request-Id in and out, one log line, counters."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and say how it went."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = request_id_of(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        keep_quoted(scope)
        audit.ADDRESS.set(address_of(scope))
        status = 500

        async def traced(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers["strict-transport-security"] = "max-age=31536000"
                if scope["path"].startswith(API):
                    # Faces, people and keys: neither browsers nor proxies may keep them.
                    headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            await self.app(scope, receive, traced)
        finally:
            self._report(scope, status, time.perf_counter() - started)

    def _report(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        state = scope["state"]
        # Anybody may make up a method; each would be a new series for Prometheus.
        method = scope["method"] if scope["method"] in METHODS else "other"
        self.metrics.answered(method, route, status, seconds)
        if code := state.get("problem_code"):
            self.metrics.refused(code)
        if route in QUIET_ROUTES and status < 400:
            return
        log.info(
            "request",
            request_id=state["request_id"],
            method=method,
            route=route,
            status=status,
            code=code,
            key_id=state.get("key_id"),
            operator_id=state.get("operator_id"),
            ms=round(seconds * 1000, 1),
        )


def address_of(scope: Scope) -> str | None:
    """Where a request came from: behind trusted proxies, what they say."""
    client = scope.get("client")
    return str(client[0])[:LONGEST_ADDRESS] if client else None


def request_id_of(headers: Headers) -> str:
    """The caller's X-Request-Id where it is harmless to log and to echo; otherwise a new one."""
    offered = headers.get("x-request-id", "")
    return offered if REQUEST_ID.fullmatch(offered) else str(uuid7())


def keep_quoted(scope: Scope) -> None:
    """Let the router see `/v1/…` as it was sent, so that `ext:a%2Fb` stays one segment.

    Servers decode the path before routing: a slash inside an external id would then part it in two. The
    parameter itself is decoded where it is read (`service.api.inputs`).
    """
    raw = (scope.get("raw_path") or b"").decode("latin-1")
    if raw.startswith(API):
        scope["path"] = raw
