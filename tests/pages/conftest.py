"""Fixtures for tests of the pages in a browser."""

from fixtures_cli import cli
from fixtures_models import nobody_else, turned
from fixtures_pages import browse, chromium, console, desk, hall, new_desk, playwright
from fixtures_service import empty_sqlite, served, service, service_everywhere, settings_for, start_service
