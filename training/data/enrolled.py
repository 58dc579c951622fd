"""Names for crops of the enrolment database among the pictures of a training."""

from pathlib import PurePosixPath
from uuid import UUID

ENROLLED = "enrolled"


def name_of_crop(subject_id: UUID, crop_id: UUID) -> str:
    """The name of an enrolment's crop."""
    return f"{ENROLLED}/{subject_id}/{crop_id}.png"


def crop_of(name: str) -> UUID | None:
    """The crop of such a name; None for the name of any other picture."""
    parts = PurePosixPath(name)
    try:
        subject_id, crop_id = UUID(parts.parent.name), UUID(parts.stem)
    except ValueError:
        return None
    return crop_id if name == name_of_crop(subject_id, crop_id) else None
