"""Fixtures for tests of the Python client."""

from fixtures_client import invigil, service_of_all
from fixtures_service import empty_sqlite, served, settings_for
