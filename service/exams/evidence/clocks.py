"""Moments as the clocks of a zone show them."""

from datetime import datetime
from zoneinfo import ZoneInfo

TIME_FORMAT = "%Y-%m-%d %H:%M"


def local_time(moment: datetime | None, zone: ZoneInfo, time_format: str = TIME_FORMAT) -> str:
    """A moment on the clocks of a zone; empty where there is none."""
    return moment.astimezone(zone).strftime(time_format) if moment else ""
