"""Fixtures for tests of the command line."""

from fixtures_cli import cli, enrolled_cli
from fixtures_models import nobody_else, turned
from fixtures_service import empty_sqlite, served, service, service_everywhere, settings_for, start_service
from installations import machines, next_url
