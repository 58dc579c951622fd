"""Fixtures for tests of the HTTP service."""

from fixtures_cli import cli
from fixtures_exams import exam_day, exam_service, open_exam_day, sqlite_exam_day, staffed_exam, start_exam
from fixtures_issuer import provider
from fixtures_models import nobody_else, turned
from fixtures_service import empty_sqlite, served, service, service_everywhere, settings_for, start_service
