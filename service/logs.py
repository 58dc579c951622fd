"""Structured logs: one JSON object a line on stderr; an event, ids and milliseconds.

A picture, a vector, a name or an external id never appears: routes are logged as templates, never as paths.
"""

import logging
import sys

import structlog


def configure_logs() -> None:
    """Send structlog's events, and uvicorn's own, to stderr as JSON lines."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Without locals: a frame's variables hold pictures and vectors.
        structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        ),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.getLogger("uvicorn").handlers.clear()
    logging.getLogger("uvicorn").propagate = True
    # The access log would name paths, and with them external ids.
    logging.getLogger("uvicorn.access").disabled = True
    root = logging.getLogger()
    root.handlers[:] = [stream]
    root.setLevel(logging.WARNING)


log: structlog.typing.FilteringBoundLogger = structlog.get_logger("invigil")
