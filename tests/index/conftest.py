"""Fixtures for tests of the gallery and its database."""

from fixtures_models import nobody_else, turned
from fixtures_service import empty_sqlite, service, settings_for, start_service
