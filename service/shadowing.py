"""A candidate model in the shadow of the active one: it looks at what was decided, and decides nothing.

One thread of each process does it, when nothing else is to be done: a full queue drops what comes, and says
how often. What waits when a process stops is lost; what was counted is in the database, and a process that
starts goes on with it.
"""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from embedding.errors import BundleError, ModelMismatch
from embedding.template import Template
from index.database.database import Database
from index.errors import (
    DatabaseError,
    GalleryError,
    LegalBasisExpired,
    NoTemplate,
    SubjectNotFound,
    TemplateUnreadable,
)
from index.models.models import Models
from index.models.reembedding import reembed
from index.models.shadows import (
    DROPPED,
    FAILED,
    NO_TEMPLATE,
    Disagreement,
    Kind,
    Said,
    Shadow,
    add_answers,
    end_shadow,
    find_running,
)
from index.sealing.cipher import TemplateCipher
from service.decisions.compared import Compared
from service.decisions.decision import Outcome, decide
from service.errors import StartRefused
from service.logs import log
from service.models.keeping import open_kept
from service.models.loaded import LoadedModel
from service.settings import Settings

LOOK_SECONDS = 1.0
STAGE_SECONDS = 60.0
"""How often templates are made of the crops that were kept since."""
QUEUE = 64
"""Faces that may wait, 37 KB each."""
BUSY_SECONDS = 0.05


@dataclass(frozen=True)
class Beside:
    """The candidate that this process has open, and for which time in the shadow."""

    shadow: Shadow
    model: LoadedModel


class Shadowing:
    """The candidate in the shadow, as one process knows it.

    Args:
        active_id: Which model is in use.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        cipher: TemplateCipher | None,
        active_id: Callable[[], str],
    ) -> None:
        self._settings = settings
        self._database = database
        self._cipher = cipher
        self._active_id = active_id
        self._waiting: queue.Queue[Compared] = queue.Queue(QUEUE)
        self._dropped: Counter[Said] = Counter()
        self._counting = threading.Lock()
        self._beside: Beside | None = None
        self._staged: float | None = None
        self._complaint: str | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_busy: Callable[[], bool] = lambda: False

    @property
    def candidate(self) -> str | None:
        """The model that this process has in the shadow now."""
        beside = self._beside
        return beside.model.id if beside else None

    def start(self, is_busy: Callable[[], bool]) -> None:
        """Look for a candidate, again and again, until `close`; `is_busy` says when to wait."""
        self._is_busy = is_busy
        self._thread = threading.Thread(target=self._work_forever, name="shadow", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; what waits is lost."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def offer(self, compared: Compared) -> None:
        """Have the candidate look at a face, later; returns at once, whether it is taken or dropped."""
        beside = self._beside
        if beside is None or compared.model_id != beside.shadow.active_id:
            return
        try:
            self._waiting.put_nowait(compared)
        except queue.Full:
            with self._counting:
                self._dropped[(kind_of(compared), compared.decision, DROPPED)] += 1

    def _work_forever(self) -> None:
        looked = -LOOK_SECONDS
        while not self._stopping.is_set():
            try:
                if time.monotonic() - looked >= LOOK_SECONDS:
                    looked = time.monotonic()
                    self._look()
                self._take()
                self._complaint = None
            except Exception as error:
                # A fault here must never reach a door, nor end the looking.
                self._complain(error)
                self._stopping.wait(LOOK_SECONDS)

    def _complain(self, error: Exception) -> None:
        """Log what keeps the candidate from looking, once for each kind."""
        kind = type(error).__name__
        if kind != self._complaint:
            known = isinstance(error, (GalleryError, BundleError, StartRefused))
            log.warning("shadow_waits", kind=kind, exc_info=None if known else error)
        self._complaint = kind

    def _look(self) -> None:
        """Open the candidate that is in the shadow now, or let go of it."""
        with self._database.read() as db:
            shadow = find_running(db)
        if shadow is not None and shadow.active_id != self._active_id():
            # Another model decides now: what was counted compares with the one before.
            with self._database.write() as db:
                end_shadow(db, shadow.model_id, actor="shadow")
            shadow = None
        if shadow is None:
            self._beside = None
            return
        if self._beside is None or self._beside.shadow.id != shadow.id:
            self._staged, self._beside = None, Beside(shadow, self._opened(shadow))
            log.info("shadow_started", model_id=shadow.model_id)
        if self._staged is None or time.monotonic() - self._staged >= STAGE_SECONDS:
            embedder = self._beside.model.embedder
            reembed(self._database, embedder, self._cipher, stop=self._stopping.is_set)
            self._staged = time.monotonic()

    def _opened(self, shadow: Shadow) -> LoadedModel:
        settings = self._settings.model_copy(update={"picture_workers": 1})
        embedder = open_kept(Models(self._database).find(shadow.model_id), settings)
        return LoadedModel.around(embedder, settings, self._database, self._cipher)

    def _take(self) -> None:
        """Look at what waits, or wait a moment for it; never while pictures wait for an answer."""
        try:
            batch = [self._waiting.get(timeout=LOOK_SECONDS / 2)]
        except queue.Empty:
            self._write([], [])
            return
        while self._is_busy() and not self._stopping.wait(BUSY_SECONDS):
            pass
        while not self._waiting.empty():
            batch.append(self._waiting.get_nowait())
        beside = self._beside
        if beside is not None:
            mine = [one for one in batch if one.model_id == beside.shadow.active_id]
            self._write(mine, look_at(beside.model, mine) if mine else [])

    def _write(self, batch: Sequence[Compared], answers: Sequence[tuple[str, float | None]]) -> None:
        """Count what was said, and what was dropped meanwhile."""
        beside = self._beside
        with self._counting:
            said, self._dropped = self._dropped, Counter()
        said.update(
            (kind_of(one), one.decision, candidate)
            for one, (candidate, _) in zip(batch, answers, strict=True)
        )
        if beside is None or not said:
            return
        found = [disagreement_of(one, *answer) for one, answer in zip(batch, answers, strict=True)]
        try:
            with self._database.write() as db:
                add_answers(db, beside.shadow.id, said, [one for one in found if one is not None])
        except DatabaseError:
            with self._counting:
                for key, n in said.items():
                    self._dropped[(key[0], key[1], DROPPED)] += n
            raise


def kind_of(compared: Compared) -> Kind:
    """What kind of comparison it was."""
    return "verify" if compared.checkin_id is None else "checkin"


def look_at(model: LoadedModel, batch: Sequence[Compared]) -> list[tuple[str, float | None]]:
    """What the candidate says of each face, and its distance where there is one."""
    vectors = model.embedder.embed_crops(np.stack([one.crop for one in batch]))
    return [
        said_of(model, one, Template(vector, model.id)) for one, vector in zip(batch, vectors, strict=True)
    ]


def said_of(model: LoadedModel, compared: Compared, probe: Template) -> tuple[str, float | None]:
    """What the candidate says of one face, at the rates that the active model was asked at."""
    try:
        d = model.gallery.distance_to(compared.subject_id, probe).d
    except (NoTemplate, ModelMismatch, SubjectNotFound, LegalBasisExpired):
        return NO_TEMPLATE, None
    except TemplateUnreadable:
        return FAILED, None
    return str(decide(d, model.supported_policy(compared.match_fmr, compared.refer_fmr))), d


def disagreement_of(compared: Compared, candidate: str, d: float | None) -> Disagreement | None:
    """The disagreement that can be looked up: of a check-in, where one matches and the other does not."""
    if compared.checkin_id is None or compared.session_id is None or d is None:
        return None
    if (compared.decision == Outcome.MATCH) == (candidate == Outcome.MATCH):
        return None
    return Disagreement(
        compared.checkin_id, compared.session_id, compared.subject_id, compared.decision, candidate, d
    )
