"""Fixtures that every package needs, and which tests belong to `make quick`."""

import pytest
import structlog
from hypothesis import settings

# Examples are judged by what they show; how long one takes says more about what else the machine is doing.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

# By default every frame of a traceback is drawn with its variables, which takes seconds.
structlog.configure(
    processors=[
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S.%f"),
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

pytest_plugins = ["fixtures_pictures", "fixtures_database"]

NOT_QUICK = {"postgresql_server", "chromium", "cli", "enrolled_cli", "served"}
"""Fixtures that start a server, a browser or a process of its own."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs neither another process nor much time as `quick`."""
    for item in items:
        marked = item.get_closest_marker("slow") or item.get_closest_marker("not_quick")
        if not marked and not needs_another_process(item):
            item.add_marker(pytest.mark.quick)


def needs_another_process(item: pytest.Item) -> bool:
    """Whether a test asks for a fixture of `NOT_QUICK`, by name or as a parameter of `database_url`."""
    callspec = getattr(item, "callspec", None)
    on_postgresql = callspec is not None and "postgresql" in callspec.params.values()
    return on_postgresql or not NOT_QUICK.isdisjoint(getattr(item, "fixturenames", ()))
