"""A comparison that was decided, as a candidate in the shadow is told of it."""

from dataclasses import dataclass
from uuid import UUID

from embedding.image import Pixels


@dataclass(frozen=True, eq=False)
class Compared:
    """A face that was compared with somebody's templates, and what came of it.

    Attributes:
        checkin_id: And its session's id; None for a verify, which leaves nothing behind.
        crop: (112, 112, 3) uint8 RGB.
        model_id: Of the model that decided.
        decision: `match`, `refer` or `no_match`.
        match_fmr: The rates that it was decided at.
    """

    checkin_id: UUID | None
    session_id: UUID | None
    subject_id: UUID
    crop: Pixels
    model_id: str
    decision: str
    match_fmr: float
    refer_fmr: float


def tell_nobody(compared: Compared) -> None:
    """Where no candidate is in the shadow."""
