"""Fixtures live beside what they serve: one module for each."""

pytest_plugins = ["fixtures_pictures", "fixtures_database", "fixtures_service", "fixtures_pages", "fixtures_cli"]
