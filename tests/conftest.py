"""Fixtures live beside what they serve: one module for pictures, one for the database, one for the service."""

pytest_plugins = ["fixtures_pictures", "fixtures_database", "fixtures_service"]
