"""The whole gallery looked over: who looks like whom, and which photograph may be under a wrong name."""

from collections.abc import Iterable
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from index.gallery.survey import Place, is_like_another, nearest_pairs, with_doubt
from service.decisions.decision import Outcome, decide
from service.decisions.scores import SCORE, Scored
from service.parts import Parts


class Known(BaseModel):
    """A subject in few words."""

    subject_id: UUID
    external_id: str | None
    display_name: str | None


class NearPair(Scored):
    """Two people, of whom one has nobody nearer than the other."""

    a: Known
    b: Known
    decision: Outcome = Field(description="what a comparison of the two would come to")
    d: float = Field(ge=0, le=4, json_schema_extra=SCORE)
    fmr_at_d: float | None = Field(json_schema_extra=SCORE)


class Doubt(Scored):
    """A template whose photograph may show somebody else."""

    subject: Known
    template_id: UUID
    kind: Literal["like_another", "unlike_own"] = Field(
        description="`like_another`: it matches another person and lies nearer to them than to its owner's"
        " other templates; `unlike_own`: it lies beyond the refer distance from all of these"
    )
    other: Known | None = Field(description="the nearest other person")
    own_d: float = Field(
        ge=0, le=4, description="to the owner's nearest other template", json_schema_extra=SCORE
    )
    other_d: float | None = Field(ge=0, le=4, json_schema_extra=SCORE)


class GallerySurvey(Scored):
    """What the templates of the model in use say of each other."""

    model_id: str
    people: int
    templates: int
    doubts: list[Doubt] = Field(description="the most doubtful first")
    doubts_in_all: int
    pairs: list[NearPair] = Field(description="everybody's nearest other person, nearest pairs first")
    pairs_in_all: int


def survey_gallery(parts: Parts, limit: int) -> GallerySurvey:
    """Compare all templates of the model in use with each other; the first `limit` of both lists."""
    model = parts.serving.active
    places = model.gallery.survey()
    pairs = nearest_pairs(places)
    doubts = with_doubt(places, model.policy.match, model.policy.refer)
    shown, doubtful = pairs[:limit], doubts[:limit]
    known = names_of(parts, shown, doubtful)
    return GallerySurvey(
        model_id=model.id,
        people=len({one.owner.subject_id for one in places}),
        templates=len(places),
        doubts=[doubt_of(one, known, model.policy.match) for one in doubtful],
        doubts_in_all=len(doubts),
        pairs=[
            NearPair(
                a=known[a],
                b=known[b],
                decision=decide(d, model.policy),
                d=d,
                fmr_at_d=model.policy.calibration.fmr_at(d),
            )
            for a, b, d in shown
        ],
        pairs_in_all=len(pairs),
    )


def doubt_of(place: Place, known: dict[UUID, Known], match_d: float) -> Doubt:
    """A doubt as it is shown."""
    assert place.own_d is not None  # whoever has one template is in no doubt
    return Doubt(
        subject=known[place.owner.subject_id],
        template_id=place.owner.template_id,
        kind="like_another" if is_like_another(place, match_d) else "unlike_own",
        other=known[place.other.subject_id] if place.other else None,
        own_d=place.own_d,
        other_d=place.other_d,
    )


def names_of(
    parts: Parts, pairs: Iterable[tuple[UUID, UUID, float]], doubts: Iterable[Place]
) -> dict[UUID, Known]:
    """Everybody who is named, by one query."""
    people = {one for a, b, _ in pairs for one in (a, b)}
    for place in doubts:
        people |= {place.owner.subject_id} | ({place.other.subject_id} if place.other else set())
    names = parts.subjects.names_of(sorted(people))
    return {
        one: Known(subject_id=one, external_id=number, display_name=name)
        for one in people
        for number, name in [names.get(one, (None, None))]
    }
