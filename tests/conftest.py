"""Fixtures that every package needs; each folder's own conftest brings the rest."""

from hypothesis import settings

# Examples are judged by what they show; how long one takes says more about what else the machine is doing.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

pytest_plugins = ["fixtures_pictures", "fixtures_database"]
