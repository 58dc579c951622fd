"""Small pictures of attempts: kept only where the exam says so, encrypted, for a number of days."""

import io
import sys
from datetime import timedelta
from uuid import UUID

from PIL import Image

from embedding.image import ImageLimits, decode
from index.resealing import SealedTable
from index.sealing.cipher import build_binding
from index.tables import utc_now
from service.exams.audit import note
from service.exams.context import Desk, Origin
from service.exams.errors import ThumbnailNotFound
from service.exams.tables import ExamRow, ThumbnailRow
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


def thumbnail_row(desk: Desk, exam: ExamRow, checkin_id: UUID, picture: bytes) -> ThumbnailRow | None:
    """The picture, small, turned upright, without its metadata, encrypted; None where none is to be kept."""
    if desk.cipher is None or not exam.keep_probe_thumbnails:
        return None
    sealed, key_id = desk.cipher.seal(thumbnail_binding(checkin_id, exam.id), shrunk(picture))
    expires_at = utc_now() + timedelta(days=exam.thumbnail_retention_days)
    return ThumbnailRow(checkin_id=checkin_id, sealed=sealed, key_id=key_id, expires_at=expires_at)


def thumbnail_binding(checkin_id: UUID, exam_id: UUID) -> bytes:
    """What a picture of an attempt belongs to."""
    return build_binding("thumbnail", checkin_id, exam_id)


def shrunk(picture: bytes) -> bytes:
    """A JPEG of at most SIDE × SIDE pixels with nothing but the pixels in it.

    Decoded as the embedder does it: whatever that could look at can be kept, a damaged EXIF block or not.
    """
    small = Image.fromarray(decode(picture, LOOKED_AT))
    small.thumbnail((SIDE, SIDE))
    target = io.BytesIO()
    small.save(target, "JPEG", quality=JPEG_QUALITY)
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
        kept = db.get(ThumbnailRow, checkin_id)
        if kept is None or kept.expires_at <= utc_now() or desk.cipher is None:
            raise ThumbnailNotFound(checkin_id)
        binding = thumbnail_binding(checkin_id, row.exam_id)
        picture = desk.cipher.open(checkin_id, binding, kept.sealed, kept.key_id)
        note(db, "thumbnail.viewed", origin, subject_id=row.subject_id, checkin_id=checkin_id)
    return picture
