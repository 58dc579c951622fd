"""Why an attempt was referred, in codes."""

from service.exams.tables import CheckinRow

NO_CANDIDATE_FOUND = "no_candidate_found"

BANDS = {"refer": "below_match", "no_match": "above_refer"}
"""In which band a distance lies, in words for everybody."""


def reasons_of(row: CheckinRow) -> list[str]:
    """Why an attempt was referred: what spoke against it, and the band that its distance lies in."""
    band = BANDS.get(row.decision or "")
    return list(row.reasons) if NO_CANDIDATE_FOUND in row.reasons or band is None else [band, *row.reasons]
