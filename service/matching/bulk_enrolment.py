"""Many photos at once: pictures become templates in several threads, one transaction enrols each of them.

A run can be stopped at any moment and repeated: what is enrolled is known by the SHA-256 of its picture.
"""

import errno
import hashlib
import stat
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from embedding.embedder import Embedding
from embedding.errors import EmbeddingError, ImageTooLarge, ModelMismatch, QualityRefused
from embedding.quality import Purpose
from index.errors import (
    DatabaseBusy,
    DatabaseError,
    ExternalIdExists,
    GalleryError,
    SubjectInvalid,
    SubjectNotFound,
    TemplateUnreadable,
)
from index.external_ids import build_external_key
from index.gallery.enrolment import EnrolledTemplate, EnrolmentWarning
from index.subjects.sources import find_enrolled_sources, find_people_with_template
from index.subjects.subjects import ExternalId, Subject
from service.matching.enrolling import enrol_embedding
from service.matching.photo_lists import Photo
from service.parts import Parts

ACTOR = "invigil enrol"
BATCH = 32
AHEAD = 2
"""Batches in work at once: while one is read and decoded, the other is in the network."""
BUSY_ATTEMPTS = 5
MAX_BYTES = 64 * 1024 * 1024
"""Of a photo on a disk, where the settings name no other limit: a camera's JPEG of 200 megapixels."""

T = TypeVar("T")
R = TypeVar("R")


class Fate(StrEnum):
    """What became of one photo."""

    ENROLLED = "enrolled"
    KNOWN = "known"
    REFUSED = "refused"


@dataclass(frozen=True)
class Refusal:
    """Why a photo was not enrolled, in the words of the API."""

    code: str
    reasons: tuple[str, ...]
    detail: str

    @classmethod
    def of(cls, error: EmbeddingError | GalleryError | OSError) -> "Refusal":
        """An error as a line of the report."""
        if isinstance(error, OSError):
            return cls("picture_unreadable", (), error.strerror or "it cannot be read")
        reasons = error.assessment.reasons if isinstance(error, QualityRefused) else ()
        return cls(error.code, reasons, str(error))


@dataclass(frozen=True)
class Result:
    """One photo and what became of it; `refusal` where it was refused, `warnings` where it was enrolled."""

    photo: Photo
    fate: Fate
    refusal: Refusal | None = None
    warnings: tuple[EnrolmentWarning, ...] = ()


class Picture:
    """A photo that is read when its turn comes.

    Attributes:
        digest: SHA-256 of what was read.
        failure: Why it could not be read.
    """

    def __init__(self, photo: Photo, digest: str) -> None:
        self.photo = photo
        self.digest = digest
        self.failure: OSError | None = None

    def __call__(self) -> bytes:
        """The bytes of the photo; none where it cannot be read."""
        try:
            data = self.photo.path.read_bytes()
        except OSError as error:
            self.failure = error
            return b""
        # It may be another than the one that was looked for among the enrolled.
        self.digest = hashlib.sha256(data).hexdigest()
        return data


@dataclass(frozen=True)
class Prepared:
    """A photo with its template, or why there is none; None means that it is enrolled already."""

    photo: Photo
    digest: str
    outcome: Embedding | EmbeddingError | OSError | None


class BulkEnrolment:
    """One run over a list of photos.

    Args:
        parts: The open parts.
        force_reason: Why also faces are enrolled that are another subject's, or far from their subject's own.
    """

    def __init__(self, parts: Parts, force_reason: str | None = None) -> None:
        self._parts = parts
        self._force_reason = force_reason
        self._known = find_enrolled_sources(parts.database, parts.embedder.model_id)
        self._subjects: dict[str, Subject] = {}

    def run(self, photos: Sequence[Photo]) -> Generator[Result, None, None]:
        """Enrol what is missing; one result for each photo, in order.

        Closing the iterator stops the run; every photo is then either enrolled or not, never half.

        Raises:
            DatabaseError: If the database cannot write; the same call goes on from there later.
        """
        batches = (photos[start : start + BATCH] for start in range(0, len(photos), BATCH))
        for prepared in ahead(self._prepare, batches):
            for one in prepared:
                yield self._finish(one)

    def without_template(self, external_ids: Iterable[str]) -> list[str]:
        """Those of whom there is no template of any model, now."""
        wanted = {one for one in external_ids if one and is_text(one)}
        return sorted(set(external_ids) - find_people_with_template(self._parts.database, wanted) - {""})

    def _prepare(self, photos: Sequence[Photo]) -> list[Prepared]:
        """Read, digest and embed; runs in a worker's thread and touches no database."""
        found = [self._find(photo) for photo in photos]
        pictures = [one for one in found if isinstance(one, Picture)]
        embedded = iter(self._parts.embedder.embed_many(pictures, Purpose.ENROL))
        return [self._prepared(one, next(embedded)) if isinstance(one, Picture) else one for one in found]

    def _prepared(self, picture: Picture, outcome: Embedding | EmbeddingError) -> Prepared:
        return Prepared(picture.photo, picture.digest, picture.failure or outcome)

    def _find(self, photo: Photo) -> Picture | Prepared:
        """A photo that is to be embedded, or what became of it where there is nothing to embed."""
        limit = self._parts.settings.max_upload_bytes
        try:
            status = photo.path.stat()
            if not stat.S_ISREG(status.st_mode):
                # A pipe would keep its reader waiting for ever, a device give bytes without end.
                return Prepared(photo, "", OSError(errno.EINVAL, "it is no file"))
            if status.st_size > limit:
                return Prepared(photo, "", ImageTooLarge(status.st_size, limit, "bytes"))
            with photo.path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            return Prepared(photo, "", error)
        except ValueError:
            # A list may name what no system can: a path with a zero byte.
            return Prepared(photo, "", OSError(errno.EINVAL, "its path cannot be one"))
        if (build_external_key(photo.external_id), digest) in self._known:
            return Prepared(photo, digest, None)
        return Picture(photo, digest)

    def _finish(self, prepared: Prepared) -> Result:
        """Enrol one prepared photo, or say why not."""
        photo, outcome = prepared.photo, prepared.outcome
        if outcome is None or (build_external_key(photo.external_id), prepared.digest) in self._known:
            self._name(photo)
            return Result(photo, Fate.KNOWN)
        try:
            # Somebody whose every photo is refused is a subject too: a roster then names who lacks one.
            subject = self._subject(photo)
            if not isinstance(outcome, Embedding):
                return Result(photo, Fate.REFUSED, Refusal.of(outcome))
            warnings = self._enrol(subject, outcome, prepared.digest).warnings
        except (DatabaseError, TemplateUnreadable):
            raise
        except (GalleryError, ModelMismatch) as error:
            # A duplicate, an id that cannot be one; or erased since the run began, and not to come back.
            return Result(photo, Fate.REFUSED, Refusal.of(error))
        self._known.add((build_external_key(photo.external_id), prepared.digest))
        return Result(photo, Fate.ENROLLED, warnings=warnings)

    def _subject(self, photo: Photo) -> Subject:
        """The subject of a photo, added where nobody has this external id.

        Raises:
            SubjectInvalid: If the external id cannot be one.
        """
        if not photo.external_id:
            raise SubjectInvalid("external_id", "the photo lies beside the people's folders")
        if not is_text(photo.external_id) or not is_text(photo.display_name or ""):
            raise SubjectInvalid("external_id", "the name is not UTF-8 text")
        if photo.external_id not in self._subjects:
            self._subjects[photo.external_id] = patiently(lambda: self._find_or_add(photo))
        return self._subjects[photo.external_id]

    def _name(self, photo: Photo) -> None:
        """Give a name to somebody who was enrolled before without one; whoever was erased stays away."""
        if photo.display_name and photo.external_id not in self._subjects:
            with suppress(SubjectNotFound, SubjectInvalid):
                subject = self._parts.subjects.find(ExternalId(photo.external_id))
                self._subjects[photo.external_id] = patiently(
                    lambda: with_name(self._parts, subject, photo.display_name, ACTOR)
                )

    def _find_or_add(self, photo: Photo) -> Subject:
        return find_or_add(self._parts, photo.external_id, photo.display_name, ACTOR)

    def _enrol(self, subject: Subject, embedding: Embedding, digest: str) -> EnrolledTemplate:
        details = {"source_digest": digest, "force_reason": self._force_reason}
        return patiently(lambda: enrol_embedding(self._parts, subject.id, embedding, actor=ACTOR, **details))


def find_or_add(parts: Parts, external_id: str, display_name: str | None, actor: str) -> Subject:
    """The subject with this external id, added where there is none, and named where they had no name.

    Raises:
        SubjectInvalid: If the external id or the name cannot be one.
        ExternalIdExists: If another id looks like this one.
        ExternalIdAmbiguous: If several ids equal it.
    """
    try:
        return with_name(parts, parts.subjects.find(ExternalId(external_id)), display_name, actor)
    except SubjectNotFound:
        pass
    try:
        return parts.subjects.add(external_id=external_id, display_name=display_name, actor=actor)
    except ExternalIdExists as error:
        if not error.is_equal:
            raise
        # Somebody else was quicker.
        return parts.subjects.find(ExternalId(external_id))


def with_name(parts: Parts, subject: Subject, display_name: str | None, actor: str) -> Subject:
    """The subject, who gets this name where there was none: a name that somebody has written stays."""
    if subject.display_name or not display_name:
        return subject
    return parts.subjects.change(subject.id, display_name=display_name, actor=actor)


def is_text(name: str) -> bool:
    """Whether a name is text: a file's name may be any bytes, which Python keeps as lone surrogates."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def patiently(write: Callable[[], R]) -> R:
    """Repeat a write that found the database busy; a server beside us may be writing, too.

    Raises:
        DatabaseBusy: If it stays busy.
    """
    for _ in range(BUSY_ATTEMPTS - 1):
        try:
            return write()
        except DatabaseBusy:
            continue
    return write()


def ahead(work: Callable[[T], R], items: Iterable[T]) -> Generator[R, None, None]:
    """`map(work, items)`, with a bounded number of results being worked on before they are asked for."""
    with ThreadPoolExecutor(AHEAD, thread_name_prefix="enrol") as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
