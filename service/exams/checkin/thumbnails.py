"""Small pictures of attempts: kept only where the exam says so, encrypted, for as long as it says.

Those of a case are for whoever decides on it: they go with the decision, unless appeals may need them.
"""

import io
import sys
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from PIL import Image
from sqlalchemy.orm import Session as OrmSession

from embedding.errors import ImageError
from embedding.image import ImageLimits, decode
from index.audit import Origin
from index.crops import crop_of, open_crop
from index.resealing import SealedTable
from index.sealing.cipher import TemplateCipher, build_binding
from index.subjects.portraits import find_with_portrait, open_portrait, portrait_row
from index.tables import utc_now
from service.exams.audit import note
from service.exams.case_pictures import longest_kept
from service.exams.context import Desk
from service.exams.errors import EnrolmentPictureNotFound, ThumbnailNotFound
from service.exams.exams import is_pilot
from service.exams.holds import held_checkins
from service.exams.schemas import Verdict
from service.exams.tables import CheckinRow, ExamRow, SessionRow, ThumbnailRow
from service.exams.views import checkin_row

SIDE = 256
JPEG_QUALITY = 80

LOOKED_AT = ImageLimits(max_bytes=sys.maxsize, max_pixels=sys.maxsize)
"""The embedder has held the picture against the installation's limits."""


THUMBNAILS = SealedTable(
    "thumbnails",
    ThumbnailRow.checkin_id,
    ThumbnailRow.checkin_id,
    ThumbnailRow.sealed,
    ThumbnailRow.key_id,
    lambda db, row: thumbnail_binding(row.checkin_id, checkin_row(db, row.checkin_id).exam_id),
)


class Probe:
    """The picture of an attempt, ready to be kept; it is made small once at most, and only if need be."""

    def __init__(self, desk: Desk, exam: ExamRow, checkin_id: UUID, picture: bytes | None) -> None:
        """Take a picture; None where it could not be decoded and so cannot be kept either."""
        self._cipher, self._exam, self._checkin_id = desk.cipher, exam, checkin_id
        self._picture = picture
        self._sealed: tuple[bytes, str] | None = None

    def prepare(self, *, is_case: bool) -> None:
        """Make and seal what may be kept, before any transaction."""
        if self._cipher is None or self._picture is None or self._sealed is not None:
            return
        if self._exam.keep_probe_thumbnails or (
            is_case and self._exam.case_pictures != "never" and not is_pilot(self._exam)
        ):
            binding = thumbnail_binding(self._checkin_id, self._exam.id)
            # A picture that cannot be made small is not kept; the attempt counts all the same.
            with suppress(ImageError):
                self._sealed = self._cipher.seal(binding, shrunk(self._picture))

    def rows(self, session: SessionRow, outcome: str) -> list[ThumbnailRow]:
        """The row to keep of an attempt with this outcome: none or one."""
        # In a pilot everybody is referred, and nobody decides on a picture.
        is_case = outcome == Verdict.REFERRED and not is_pilot(self._exam)
        # A match may have become a case within the transaction: then it is made small there.
        self.prepare(is_case=is_case)
        keeping = keeping_of(self._exam, session, is_case=is_case)
        if self._sealed is None or keeping is None:
            return []
        (sealed, key_id), (until_settled, expires_at) = self._sealed, keeping
        kept = {"sealed": sealed, "key_id": key_id, "until_settled": until_settled}
        return [ThumbnailRow(checkin_id=self._checkin_id, expires_at=expires_at, **kept)]


def keeping_of(exam: ExamRow, session: SessionRow, *, is_case: bool) -> tuple[bool, datetime] | None:
    """Whether a picture goes with the decision, and when it goes at the latest; None where none is kept."""
    days = utc_now() + timedelta(days=exam.thumbnail_retention_days)
    if is_case and exam.case_pictures == "appeals":
        return False, max(days, exam.appeal_ends_at or exam.ends_at)
    if exam.keep_probe_thumbnails:
        return False, days
    if is_case and exam.case_pictures == "until_settled":
        return True, longest_kept(session)
    return None


def thumbnail_binding(checkin_id: UUID, exam_id: UUID) -> bytes:
    """What a picture of an attempt belongs to."""
    return build_binding("thumbnail", checkin_id, exam_id)


def shrunk(
    picture: bytes, side: int = SIDE, quality: int = JPEG_QUALITY, limits: ImageLimits = LOOKED_AT
) -> bytes:
    """A JPEG of at most side × side pixels with nothing but the pixels in it.

    Decoded as the embedder does it: whatever that could look at can be kept, a damaged EXIF block or not.
    """
    small = Image.fromarray(decode(picture, limits))
    small.thumbnail((side, side))
    target = io.BytesIO()
    small.save(target, "JPEG", quality=quality)
    return target.getvalue()


def open_thumbnail(desk: Desk, checkin_id: UUID, origin: Origin) -> bytes:
    """The kept picture of an attempt, as JPEG. That it was looked at goes into the audit chain.

    Raises:
        CheckinNotFound: If there is no such attempt.
        ThumbnailNotFound: If no picture is kept of it, or no longer.
        TemplateUnreadable: If it was sealed with another key or for another attempt.
    """
    with desk.database.write() as db:
        row = checkin_row(db, checkin_id)
        picture = read_thumbnail(db, desk.cipher, row)
        note(db, "thumbnail.viewed", origin, subject_id=row.subject_id, checkin_id=checkin_id)
    return picture


def read_thumbnail(db: OrmSession, cipher: TemplateCipher | None, row: CheckinRow) -> bytes:
    """The kept picture of an attempt; raises as `open_thumbnail`. The caller records the look."""
    kept = db.get(ThumbnailRow, row.id)
    if kept is None or cipher is None or is_over(db, kept):
        raise ThumbnailNotFound(row.id)
    return cipher.open(row.id, thumbnail_binding(row.id, row.exam_id), kept.sealed, kept.key_id)


def is_over(db: OrmSession, kept: ThumbnailRow) -> bool:
    """Whether a picture is past its time and not on hold."""
    if kept.expires_at > utc_now():
        return False
    return db.scalar(held_checkins().where(CheckinRow.id == kept.checkin_id)) is None


def open_enrolment(desk: Desk, checkin_id: UUID, origin: Origin) -> bytes:
    """The enrolment behind an attempt: the kept crop, as PNG, or else the office's portrait, as JPEG.

    That it was looked at is recorded.

    Raises:
        CheckinNotFound: If there is no such attempt.
        EnrolmentPictureNotFound: If nobody is claimed, or no crop is kept, or none that may be looked at.
        TemplateUnreadable: If it was sealed with another key.
    """
    with desk.database.write() as db:
        row = checkin_row(db, checkin_id)
        kept = crop_of(db, row.subject_id, row.template_id) if row.subject_id else None
        if kept is None and desk.cipher is not None and row.subject_id is not None:
            return open_portrait_of(db, desk.cipher, row, origin)
        if kept is None or desk.cipher is None:
            raise EnrolmentPictureNotFound(checkin_id)
        picture = open_crop(desk.cipher, kept)
        note(db, "crop.viewed", origin, subject_id=row.subject_id, checkin_id=checkin_id, crop_id=kept.id)
    return picture


def open_portrait_of(db: OrmSession, cipher: TemplateCipher, row: CheckinRow, origin: Origin) -> bytes:
    """The office's portrait of whom an attempt claims; raises EnrolmentPictureNotFound if there is none."""
    if row.subject_id is None or not find_with_portrait(db, [row.subject_id]):
        raise EnrolmentPictureNotFound(row.id)
    kept = portrait_row(db, row.subject_id)
    note(db, "portrait.viewed", origin, subject_id=row.subject_id, checkin_id=row.id, portrait_id=kept.id)
    return open_portrait(cipher, kept)
