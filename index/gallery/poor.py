"""Poor templates: made of pictures that would not be enrolled today, because the limits were lower once.

The same rule twice: in Python with the reasons, and as a condition for the database, so that a list of
100,000 people can be narrowed without reading their templates. A test holds them against each other.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_

from embedding.quality import LIMITS, Measures, Purpose, assess
from index.tables import TemplateRow

_MEASURES = {one.name for one in fields(Measures)}
_ALWAYS_MEASURED = {one.name for one in fields(Measures) if one.default is MISSING}
_LIMITS = LIMITS[Purpose.ENROL]


def find_poor_reasons(quality: Mapping[str, Any]) -> tuple[str, ...]:
    """Why the picture of a template would not be enrolled today; empty where its measures are not known."""
    if not _ALWAYS_MEASURED <= set(quality) <= _MEASURES:
        return ()
    return assess(Measures(**quality), _LIMITS).reasons


def is_poor() -> ColumnElement[bool]:
    """The condition for templates with `find_poor_reasons`; never null."""

    def measure(name: str) -> ColumnElement[float]:
        found: ColumnElement[float] = TemplateRow.quality[name].as_float()
        return found

    limit = _LIMITS
    refused = or_(
        measure("inter_eye_distance") < limit.inter_eye_distance_min,
        measure("luminance_mean") < limit.luminance_mean_min,
        measure("luminance_mean") > limit.luminance_mean_max,
        measure("under_exposure") > limit.under_exposure_max,
        measure("over_exposure") > limit.over_exposure_max,
        measure("dynamic_range") < limit.dynamic_range_min,
        measure("sharpness") < limit.sharpness_min,
        func.abs(measure("head_pose_yaw")) > limit.head_pose_yaw_max,
        func.abs(measure("head_pose_pitch")) > limit.head_pose_pitch_max,
        func.abs(measure("head_pose_roll")) > limit.head_pose_roll_max,
        measure("uprightness") < limit.uprightness_min,
        measure("face_inside") < limit.face_inside_min,
        measure("feature_contrast") < limit.feature_contrast_min,
    )
    known = and_(*(measure(name).is_not(None) for name in sorted(_ALWAYS_MEASURED)))
    return func.coalesce(and_(refused, known), False)
