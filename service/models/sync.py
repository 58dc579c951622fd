"""How a process keeps step: it opens the model that is announced, and decides with the one that is active.

One thread looks twice a second; a switch that another process made is followed within two seconds, and no
request waits for it.
"""

import threading
import time
from collections.abc import Callable

from embedding.embedder import Embedder
from index.database.database import Database
from index.errors import DatabaseError, GalleryError
from index.gallery.coverage import knows_others, was_added_since
from index.models.models import Model, Models
from index.models.reembedding import reembed
from index.sealing.cipher import TemplateCipher
from index.trail.anchor_lines import Head
from index.trail.witness import Trail
from service.logs import log
from service.models.alarm import Alarm
from service.models.keeping import keep_or_warn, open_kept
from service.models.loaded import LoadedModel, Serving
from service.settings import Settings

LOOK_SECONDS = 0.5
FORMER_SECONDS = 10.0
"""How often it is asked which former models are still needed; that question reads many rows."""

BEHIND_SECONDS = 10.0
"""How long a process may decide with a model that is no longer the active one, or may be no longer, before it
is not ready."""

LOOK_AGAIN_SECONDS = 10.0
"""How often it is tried whether templates open that did not."""

OPENING_SECONDS = 120.0
"""How long the opening of a model may take: its templates are read, too."""


class Following:
    """The models of one process, in step with the database."""

    def __init__(
        self, settings: Settings, database: Database, cipher: TemplateCipher | None, embedder: Embedder
    ) -> None:
        """Begin with the active model's embedder; the former models are opened as well.

        Raises:
            StartRefused, BundleInvalid, DatabaseError: As `LoadedModel.around`.
        """
        self._settings = settings
        self._database = database
        self._cipher = cipher
        self._models = Models(database)
        self._behind_since: float | None = None
        self._due = time.monotonic() + OPENING_SECONDS
        self._complaint: str | None = None
        self._former_ids: tuple[str, ...] = ()
        self._former_asked: float | None = None
        self._once_active: set[str] = set()
        self._unreadable: set[str] = set()
        self._alarm = Alarm(database)
        self._looked_again = time.monotonic()
        self._stopping = threading.Event()
        self._looking = threading.Lock()
        self._thread: threading.Thread | None = None
        self.when_switched: Callable[[Serving], None] = lambda serving: None
        self.when_gone_back: Callable[[], None] = lambda: None
        self.when_ended: Callable[[], None] = lambda: None
        self._trail = Trail(database)
        active = LoadedModel.around(embedder, settings, database, cipher)
        self._open = {active.id: active}
        self._embedded: tuple[str, int, int] = ("", 0, 0)
        self._loaded = active.id, active.gallery.loads
        self.serving = Serving(active)
        self.look()

    def start(self) -> None:
        """Look again and again, until `close`."""
        self._thread = threading.Thread(target=self._look_forever, name="following", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def is_in_step(self) -> bool:
        """Whether this process decides with the active model, or has not for a moment only.

        A process that has not been able to look for as long does not know it, and is not in step.
        """
        now, behind_since = time.monotonic(), self._behind_since
        return now < self._due and (behind_since is None or now - behind_since < BEHIND_SECONDS)

    def is_known(self, event: Head) -> bool:
        """Whether this process would notice the loss of an audit event."""
        return self._trail.seen == event

    def has_open(self, model_id: str) -> bool:
        """Whether this process could decide with the model at once."""
        return model_id in self._open

    def look(self) -> None:
        """Open what is announced, and follow a switch.

        Raises:
            DatabaseError: If the database cannot be reached; what was opened stays.
        """
        with self._looking:
            models = {model.id: model for model in self._models.all()}
            active = next((model for model in models.values() if model.state == "active"), None)
            if active is None:
                return
            self._once_active = {model.id for model in models.values() if model.activated_at}
            switched = active.id != self.serving.active.id
            self._note_step(switched)
            incoming = [model for model in models.values() if model.state == "incoming"]
            former = self._former(active, models, ask=switched)
            for model in (active, *incoming, *former):
                self._take(model)
            self._set(active, former)
            self._forget({model.id for model in (active, *incoming, *former)})
            self._expect_next(BEHIND_SECONDS)

    def _expect_next(self, seconds: float) -> None:
        """Note that this process is in step now, and when it has to show it again."""
        self._due = time.monotonic() + seconds

    def embed_latecomers(self) -> None:
        """Make the active model's templates of enrolments that finished under a former one after the switch.

        Raises:
            DatabaseError: If the database cannot do its part; the next call goes on from there.
        """
        active, once = self.serving.active, self._once_active
        model_id, seq, loads = self._embedded
        newest = active.gallery.catch_up()
        # Numbers of a history that never was say nothing about this one.
        is_new = (active.id, active.gallery.loads) != (model_id, loads)
        with self._database.read() as db:
            is_due = is_new or was_added_since(db, once - {active.id}, seq)
        if once and is_due and (is_new or newest > seq):
            made = reembed(
                self._database,
                active.embedder,
                self._cipher,
                stop=self._stopping.is_set,
                # Embedding may take longer than a look may be away; the models do not change meanwhile.
                progress=lambda done, total: self._expect_next(BEHIND_SECONDS),
            ).made
            log.info("latecomers_embedded", model_id=active.id, templates=made)
        self._embedded = active.id, newest, active.gallery.loads

    def _look_forever(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            try:
                self.look()
                self._notice_return()
                self._notice_ends()
                self.embed_latecomers()
                self._watch_left_out()
                self._complaint = None
            except Exception as error:
                # The database may be restarting, a row be sealed with another key, a fault be ours: none ends
                # the looking, for nothing else would ever follow a promotion again.
                self._complain(error)

    def _complain(self, error: Exception) -> None:
        """Log what keeps this process from looking; once for each kind, for it looks twice a second."""
        complaint = type(error).__name__
        if complaint != self._complaint:
            known = isinstance(error, GalleryError)
            code = error.code if isinstance(error, GalleryError) else "internal"
            log.warning("following_waits", code=code, kind=complaint, exc_info=None if known else error)
        self._complaint = complaint

    def _notice_return(self) -> None:
        """Say once that the database went back in time: what was ended since may be there again.

        Where no template was lost, only the audit trail tells.
        """
        active = self.serving.active
        loaded = active.id, active.gallery.loads
        has_reloaded = loaded[0] == self._loaded[0] and loaded[1] > self._loaded[1]
        if has_reloaded or self._trail.has_gone_back():
            self.when_gone_back()
            self._trail.start_again()
        self._loaded = loaded

    def _notice_ends(self) -> None:
        """Say that something was ended which no older database may bring back.

        A command on another machine writes no anchor here, and a process may die before it has.
        """
        newest, has_news = self._trail.read()
        if has_news:
            self.when_ended()
        self._trail.take(newest)

    def _watch_left_out(self) -> None:
        """Raise the alarm where templates do not open, and take up those that were put right."""
        now = time.monotonic()
        if now - self._looked_again >= LOOK_AGAIN_SECONDS:
            self._looked_again = now
            for model in self.serving.models:
                model.gallery.look_again()
        self._alarm.tell(self.serving.left_out)

    def _note_step(self, behind: bool) -> None:
        if not behind:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = time.monotonic()

    def _former(self, active: Model, models: dict[str, Model], *, ask: bool) -> list[Model]:
        """The models that were active once and know somebody whom no newer one knows, the newest first."""
        once = [model for model in models.values() if model.activated_at and model.id != active.id]
        now = time.monotonic()
        if ask or self._former_asked is None or now - self._former_asked >= FORMER_SECONDS:
            # Enrolments that began under the model just left may still end: it stays for a while.
            left = self.serving.active.id if ask else None
            needed = [active.id]
            with self._database.read() as db:
                for model in sorted(
                    once, key=lambda one: one.activated_at or one.registered_at, reverse=True
                ):
                    if model.id == left or knows_others(db, model.id, needed):
                        needed.append(model.id)
            self._former_ids, self._former_asked = tuple(needed[1:]), now
        return [models[model_id] for model_id in self._former_ids if model_id != active.id]

    def _take(self, model: Model) -> None:
        """Open a model, if it is not, and read its gallery up to now."""
        if model.id in self._open:
            self._open[model.id].gallery.catch_up()
            return
        self._expect_next(OPENING_SECONDS)
        try:
            embedder = open_kept(model, self._settings)
            loaded = LoadedModel.around(embedder, self._settings, self._database, self._cipher)
        except DatabaseError:
            raise
        except Exception as error:
            # One model that cannot be opened keeps this process from following no other. Said once: the next
            # look is half a second away.
            if model.id not in self._unreadable:
                log.error("model_not_opened", model_id=model.id, reason=str(error))
                self._unreadable.add(model.id)
            return
        self._unreadable.discard(model.id)
        self._open[model.id] = loaded
        keep_or_warn(embedder.bundle, self._settings)
        log.info("model_opened", model_id=model.id, state=model.state)

    def _set(self, active: Model, former: list[Model]) -> None:
        """Decide from now on with these models, as far as they are open."""
        if active.id not in self._open:
            return
        loaded = tuple(self._open[model.id] for model in former if model.id in self._open)
        serving = Serving(self._open[active.id], loaded)
        if serving == self.serving:
            return
        before, self.serving = self.serving, serving
        if before.active.id != active.id:
            self._behind_since = None
            log.info("model_switched", model_id=active.id, former=before.active.id)
            self.when_switched(serving)

    def _forget(self, wanted: set[str]) -> None:
        """Let go of models that nobody needs; a request that still works with one keeps it."""
        wanted.add(self.serving.active.id)
        for model_id in self._open.keys() - wanted:
            del self._open[model_id]
