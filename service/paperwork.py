"""How the installation keeps data, as the papers of an exam say it."""

from service.exams.paperwork.facts import Installed
from service.settings import Settings


def installed_of(settings: Settings, *, has_key: bool) -> Installed:
    """What the settings say; `has_key`: whether there is a template key."""
    return Installed(
        store_crops=settings.store_crops,
        crop_days=settings.crop_retention_days,
        has_key=has_key,
        replay_hours=settings.idempotency_hours,
        expired_days=settings.erase_expired_after_days,
        link_days=settings.withdrawal_link_days,
    )
