"""Why an attempt was referred, in codes."""

from service.exams.tables import CheckinRow

NO_CANDIDATE_FOUND = "no_candidate_found"
LET_IN_TWICE = "let_in_twice"
"""Two kiosks let somebody in under one number: one of them knew nothing of the other."""
PILOT = "pilot"
PILOT_ADMITS = "pilot_would_admit"
PILOT_REFERS = "pilot_would_refer"

BANDS = {"refer": "below_match", "no_match": "above_refer"}
"""In which band a distance lies, in words for everybody."""


def reasons_of(row: CheckinRow) -> list[str]:
    """Why an attempt was referred: what spoke against it, and the band that its distance lies in."""
    if {PILOT_ADMITS, PILOT_REFERS} & set(row.reasons):
        # Whoever decides in a pilot is not told what the machine would have done.
        return [PILOT]
    band = BANDS.get(row.decision or "")
    return list(row.reasons) if NO_CANDIDATE_FOUND in row.reasons or band is None else [band, *row.reasons]
