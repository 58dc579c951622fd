"""Names for crops of the enrolment database among the pictures of a training."""

from pathlib import PurePosixPath
from uuid import UUID

ENROLLED = "enrolled"


def build_crop_name(subject_id: UUID, crop_id: UUID) -> str:
    """The name of an enrolment's crop."""
    return f"{ENROLLED}/{subject_id}/{crop_id}.png"


def parse_crop_name(name: str) -> UUID | None:
    """The crop of such a name; None for the name of any other picture."""
    parts = PurePosixPath(name)
    try:
        subject_id, crop_id = UUID(parts.parent.name), UUID(parts.stem)
    except ValueError:
        return None
    return crop_id if name == build_crop_name(subject_id, crop_id) else None
