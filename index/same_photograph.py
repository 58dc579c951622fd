"""Who is enrolled by the same photograph, as far as crops of enrolments are kept.

Nothing is stored for it: what would tell a photograph again without its crop would show the face as well.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from uuid import UUID

from embedding.errors import ImageError
from embedding.image import ImageLimits, Pixels, decode
from embedding.same_photograph import is_among
from index.crops import crops_of, is_any_kept, open_readable
from index.database.database import Database
from index.gallery.gallery import DuplicateProbe, Gallery
from index.sealing.cipher import TemplateCipher

MOST_COMPARED = 4
"""Kept crops of a subject that are looked at, each for about ten milliseconds."""


def is_of_subject(
    database: Database,
    cipher: TemplateCipher | None,
    crop: Pixels,
    subject_id: UUID,
    template_id: UUID | None,
) -> bool:
    """Whether a face is cut from a photograph that a subject is enrolled by.

    False where that is not known: without a key, without a kept crop, or with one that does not open.

    Args:
        database: With the crops.
        cipher: Opens them.
        crop: (112, 112, 3) RGB, aligned.
        subject_id: Whose crops.
        template_id: The one whose crop is looked at first.

    Raises:
        DatabaseError: If the database cannot be reached.
    """
    if cipher is None:
        return False
    with database.read() as db:
        rows = crops_of(db, subject_id, template_id, MOST_COMPARED)
    return is_among(crop, _decode_all([one.picture for one in open_readable(cipher, rows)]))


def find_same_photograph(
    gallery: Gallery,
    database: Database,
    cipher: TemplateCipher | None,
    crop: Pixels,
    subject_id: UUID,
    probes: Sequence[DuplicateProbe],
) -> set[UUID]:
    """The other subjects with a face like this who are enrolled by the same photograph.

    To be called before the enrolment's transaction: it takes milliseconds for each of them.
    """
    with database.read() as db:
        if cipher is None or not is_any_kept(db):
            return set()
    others = gallery.find_others(subject_id, probes)
    return {
        one.subject_id
        for one in others
        if is_of_subject(database, cipher, crop, one.subject_id, one.template_id)
    }


def _decode_all(pictures: Sequence[bytes]) -> Iterator[Pixels]:
    for picture in pictures:
        with suppress(ImageError):
            yield decode(picture, ImageLimits())
