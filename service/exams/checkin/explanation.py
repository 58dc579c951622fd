"""Which places of the two kept pictures of an attempt made them near or far."""

from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select
from sqlalchemy.orm import Session as OrmSession

from embedding.align import crop_corners
from embedding.embedder import DEFAULT_LIMITS, Embedding
from embedding.errors import EmbeddingError, QualityRefused
from embedding.explaining import PairMaps, explain_pair
from embedding.image import Pixels, decode
from embedding.quality import Purpose
from index.audit import Origin
from index.crops import crop_of, open_crop
from index.tables import CropRow, TemplateRow
from service.exams.audit import note
from service.exams.checkin.thumbnails import LOOKED_AT, read_thumbnail
from service.exams.context import Desk
from service.exams.errors import EnrolmentPictureNotFound, ExplanationImpossible
from service.exams.tables import CheckinRow
from service.exams.views import checkin_row
from service.models.loaded import LoadedModel


@dataclass(frozen=True)
class CasePictures:
    """The two kept pictures of an attempt.

    Attributes:
        probe: The small picture of the attempt, as JPEG.
        enrolled: The crop of the enrolment, as PNG.
        template_id: A template that was made from the crop, the compared one if it was; None if none was.
        model_id: Of the decision; None where there was none.
    """

    probe: bytes
    enrolled: bytes
    template_id: UUID | None
    model_id: str | None


@dataclass(frozen=True)
class ExplainedCase:
    """The maps of an attempt's pictures.

    Attributes:
        probe: Crop of the face at the door, and `enrolled` the crop of the enrolment.
        corners: (4, 2) where the probe's crop lies in its picture, as parts of its width and height.
    """

    template_id: UUID | None
    model_id: str
    probe: Pixels
    enrolled: Pixels
    corners: NDArray[np.float64]
    maps: PairMaps


def explain_checkin(desk: Desk, checkin_id: UUID, origin: Origin) -> ExplainedCase:
    """Compare the kept pictures of an attempt again, with each place of both covered in turn.

    That they were looked at goes into the audit chain.

    Raises:
        CheckinNotFound: If there is no such attempt.
        ThumbnailNotFound, EnrolmentPictureNotFound: If one of the pictures is not kept, or no longer.
        ExplanationImpossible: If the model of the decision has left, or the small picture shows no face.
        TemplateUnreadable: If one was sealed with another key.
    """
    pictures = open_pictures(desk, checkin_id, origin)
    model = model_of_decision(desk, checkin_id, pictures.model_id)
    probe = embed_again(model, checkin_id, pictures.probe)
    enrolled = decode(pictures.enrolled, DEFAULT_LIMITS)
    height, width = decode(pictures.probe, LOOKED_AT).shape[:2]
    return ExplainedCase(
        template_id=pictures.template_id,
        model_id=model.id,
        probe=probe.crop,
        enrolled=enrolled,
        corners=crop_corners(probe.face.landmarks) / (width, height),
        maps=explain_pair(model.embedder.embed_crops, probe.crop, enrolled),
    )


def open_pictures(desk: Desk, checkin_id: UUID, origin: Origin) -> CasePictures:
    """Both pictures of an attempt, and the record that they were looked at; raises as `explain_checkin`."""
    with desk.database.write() as db:
        row = checkin_row(db, checkin_id)
        probe = read_thumbnail(db, desk.cipher, row)
        kept = crop_of(db, row.subject_id, row.template_id) if row.subject_id else None
        if kept is None or desk.cipher is None:
            raise EnrolmentPictureNotFound(checkin_id)
        enrolled = open_crop(desk.cipher, kept)
        note(
            db,
            "explanation.viewed",
            origin,
            subject_id=row.subject_id,
            checkin_id=checkin_id,
            crop_id=kept.id,
        )
        return CasePictures(probe, enrolled, template_of(db, kept, row), row.model_id)


def template_of(db: OrmSession, kept: CropRow, row: CheckinRow) -> UUID | None:
    """The template that was made from a crop: the one that was compared, if it was made from it."""
    made = db.scalars(
        select(TemplateRow.id).where(TemplateRow.crop_id == kept.id, TemplateRow.model_id == row.model_id)
    ).all()
    return row.template_id if row.template_id in made else next(iter(made), None)


def model_of_decision(desk: Desk, checkin_id: UUID, model_id: str | None) -> LoadedModel:
    """The model that decided.

    Raises:
        ExplanationImpossible: If nothing was decided, or it has left: another network looks elsewhere.
    """
    if model_id is None:
        raise ExplanationImpossible(checkin_id, "nothing was compared")
    for model in desk.serving.models:
        if model.id == model_id:
            return model
    raise ExplanationImpossible(checkin_id, "the model that decided is no longer in use")


def embed_again(model: LoadedModel, checkin_id: UUID, picture: bytes) -> Embedding:
    """The face in the small picture of an attempt.

    Raises:
        ExplanationImpossible: If there is none that a template can be made of.
    """
    try:
        return model.embedder.embed(picture, Purpose.VERIFY)
    except QualityRefused as error:
        raise ExplanationImpossible(checkin_id, NO_FACE, error.assessment.reasons) from error
    except EmbeddingError as error:
        raise ExplanationImpossible(checkin_id, NO_FACE, [error.code]) from error


NO_FACE = "the small picture that is kept of it shows no face that can be compared"
