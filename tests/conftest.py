"""Fixtures live beside what they serve: one module for each."""

from hypothesis import settings

# Examples are judged by what they show; how long one takes says more about what else the machine is doing.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

pytest_plugins = [
    "fixtures_pictures",
    "fixtures_database",
    "fixtures_service",
    "fixtures_models",
    "fixtures_exams",
    "fixtures_pages",
    "fixtures_cli",
]
