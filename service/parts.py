"""Everything the service is made of, opened once; the web application and the command line share it."""

from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Self
from uuid import uuid4

from embedding.embedder import Embedder
from index.database.database import Database
from index.database.write_trial import WriteTrial
from index.gallery.gallery import Gallery
from index.jobs.folders import remove_former_pages
from index.models.errors import BundleChanged
from index.models.models import Models
from index.sealing.cipher import TemplateCipher
from index.subjects.enrolment_links import EnrolmentLinks
from index.subjects.portraits import Portraits
from index.subjects.proposals import Proposals
from index.subjects.subjects import Subjects
from index.webhooks.outbox import Outbox
from index.webhooks.webhooks import Webhooks
from service.access.guesses import Guesses
from service.access.idempotency import Idempotency
from service.access.invitations import Invitations
from service.access.issuer import Issuer
from service.access.keys import Keys
from service.access.operators import Operators
from service.access.page_sessions import PageSessions
from service.access.passwords import Passwords
from service.access.rates import Rates
from service.access.second_factors import SecondFactors
from service.access.sign_ins import SignIns
from service.access.signing_in import SigningIn
from service.decisions.decision import Policy
from service.errors import StartRefused
from service.exams.context import Desk
from service.exams.live.board import Live, Viewer
from service.http.metrics import Metrics
from service.http.picture_pool import PictureWork
from service.logs import log
from service.models.keeping import keep_or_warn, open_kept
from service.models.loaded import LoadedModel, Serving, policy_of_settings
from service.models.sync import Following
from service.settings import Settings
from service.shadowing import Shadowing
from service.template_keys import TemplateKeys
from service.trail.anchoring import Anchoring
from service.use_watch import UseWatch
from service.webhooks.delivering import Delivering
from service.webhooks.sending import send
from service.webhooks.targets import Targets


@dataclass(frozen=True)
class Parts:
    """The open parts of one process.

    Attributes:
        following: Keeps what is decided with in step with the active model.
        anchoring: Notes what the audit chain is outside the database; None without a template key.
        pinned: What is decided with, so that a request ends with the model it began with; None follows.
    """

    settings: Settings
    database: Database
    trial: WriteTrial
    cipher: TemplateCipher | None
    anchoring: Anchoring | None
    following: Following
    use_watch: UseWatch
    shadow: Shadowing
    pinned: Serving | None
    subjects: Subjects
    enrolment_links: EnrolmentLinks
    portraits: Portraits
    proposals: Proposals
    models: Models
    keys: Keys
    operators: Operators
    invitations: Invitations
    second_factors: SecondFactors
    sign_ins: SignIns
    signing_in: SigningIn
    issuer: Issuer | None
    guesses: Guesses
    page_sessions: PageSessions
    idempotency: Idempotency
    metrics: Metrics
    pictures: PictureWork
    live: Live
    targets: Targets
    webhooks: Webhooks
    delivering: Delivering

    @classmethod
    def open(cls, settings: Settings, *, reading: bool = False) -> Self:
        """Open everything; the database must be at the program's revision.

        Args:
            settings: Of the environment.
            reading: Nothing is enrolled: where there is no template key, none is made.

        Raises:
            StartRefused: If the calibration cannot serve the settings, or the active model cannot be opened.
            BundleError: If the bundle is missing or damaged.
            DatabaseError: If the database is unavailable or at another revision.
        """
        threads = settings.picture_workers
        embedder = Embedder.open(settings.bundle, settings.image_limits, threads=threads)
        return cls.around(settings, embedder, reading=reading)

    @classmethod
    def around(cls, settings: Settings, embedder: Embedder, *, reading: bool = False) -> Self:
        """Open everything else for an embedder that is open already; raises as `open`."""
        # Before anything is written: a calibration that is too small must not leave an active model behind.
        policy_of_settings(embedder, settings)
        database = Database(settings.database)
        database.require_current()
        subjects, models = Subjects(database, settings.basis_warning), Models(database)
        active = active_embedder(embedder, settings, models)
        cipher = cipher_of(settings, database, reading=reading)
        anchoring = Anchoring.of(settings, database, cipher) if cipher else None
        if anchoring is not None and not reading:
            # Before anything is read, and long before the first request.
            anchoring.settle_return()
            for page in remove_former_pages(settings.data_dir):
                log.warning("page_removed", path=str(page), reason="it held faces of enrolments")
        following = Following(settings, database, cipher, active)
        rates = Rates(settings.requests_per_minute)
        keys, operators = Keys(database, rates), Operators(database, rates)
        page_sessions, passwords, sign_ins = PageSessions(database), Passwords(), SignIns(database)
        factors = SecondFactors(database, cipher)
        targets = Targets.parse(settings.webhook_targets)
        outbox = Outbox(database, cipher, str(uuid4()))
        return cls(
            settings=settings,
            database=database,
            trial=WriteTrial(database),
            cipher=cipher,
            anchoring=anchoring,
            following=following,
            use_watch=UseWatch(database),
            shadow=Shadowing(settings, database, cipher, lambda: following.serving.active.id),
            pinned=None,
            subjects=subjects,
            enrolment_links=EnrolmentLinks(database, cipher),
            portraits=Portraits(database, cipher),
            proposals=Proposals(database, cipher),
            models=models,
            keys=keys,
            operators=operators,
            invitations=Invitations(database, passwords),
            second_factors=factors,
            sign_ins=sign_ins,
            signing_in=SigningIn(database, passwords, sign_ins, factors),
            issuer=Issuer(settings.issuer) if settings.issuer else None,
            page_sessions=page_sessions,
            guesses=Guesses(database, settings.failed_comparisons_per_hour, settings.workers),
            idempotency=Idempotency(database, timedelta(hours=settings.idempotency_hours)),
            metrics=Metrics(settings.shared_metrics),
            pictures=PictureWork(settings.picture_workers, settings.picture_queue, settings.max_held_bytes),
            # Asked anew each time: a board follows a promotion like everything else.
            live=Live(
                lambda: Desk(database, following.serving, cipher, settings.basis_warning, settings.numbers),
                lambda viewers: valid_viewers(viewers, keys, operators, page_sessions),
            ),
            targets=targets,
            webhooks=Webhooks(database, cipher),
            delivering=Delivering(outbox, partial(send, targets=targets)),
        )

    def now(self) -> Self:
        """These parts with what is decided with at this moment; a request takes them once, at its start."""
        serving = self.following.serving
        return self if serving is self.pinned else replace(self, pinned=serving)

    @property
    def serving(self) -> Serving:
        """What is decided with."""
        return self.pinned or self.following.serving

    @property
    def model(self) -> LoadedModel:
        """The model in use."""
        return self.serving.active

    @property
    def embedder(self) -> Embedder:
        """Of the model in use."""
        return self.model.embedder

    @property
    def gallery(self) -> Gallery:
        """Of the model in use."""
        return self.model.gallery

    @property
    def policy(self) -> Policy:
        """The thresholds of the model in use."""
        return self.model.policy

    @property
    def desk(self) -> Desk:
        """What the exam domain works with."""
        settings = self.settings
        return Desk(
            self.database,
            self.serving,
            self.cipher,
            settings.basis_warning,
            settings.numbers,
            self.shadow.offer,
        )

    def watch(self) -> None:
        """Follow the active model, and let the metrics read the gauges of these parts."""
        self.following.when_switched = self._describe
        self.following.when_gone_back = self._end_returned
        self.following.when_ended = self.note_anchor
        self._describe(self.following.serving)
        watch = self.metrics.watch
        admitted, waiting = self.pictures.count, self.pictures.waiting
        watch(
            "invigil_pictures_admitted", "Pictures being received, waiting or worked on.", admitted, "livesum"
        )
        watch("invigil_pictures_waiting", "Pictures waiting for a worker.", waiting, "livesum")
        watch("invigil_templates", "Templates of the model in use, by index.", self._templates, "livemin")
        watch(
            "invigil_templates_left_out", "Templates that do not open: an alarm.", self._left_out, "livemax"
        )
        watch(
            "invigil_model_use_alarms",
            "Rates of the model in use that have risen: an alarm.",
            self.use_watch.count,
            "livemax",
        )
        self.following.start()
        self.shadow.start(is_busy=lambda: self.pictures.waiting() > 0)
        if self.settings.webhook_targets:
            self.delivering.start()

    def note_anchor(self) -> None:
        """Write down outside the database what must not be undone by a backup that is put back tomorrow."""
        if self.anchoring is not None:
            self.anchoring.note()

    def _describe(self, serving: Serving) -> None:
        self.metrics.describe_model(serving.active.id, serving.active.calibration.id)

    def _end_returned(self) -> None:
        if self.anchoring is not None:
            self.anchoring.settle_return()
            # What was lost may be newer than the anchor's last line.
            self.anchoring.end_sign_ins()

    def _templates(self) -> int:
        return len(self.following.serving.active.gallery)

    def _left_out(self) -> int:
        return len(self.following.serving.left_out)

    def close(self) -> None:
        """Finish what is running, then let go of everything."""
        self.delivering.close()
        self.shadow.close()
        self.following.close()
        self.live.close()
        self.pictures.close()
        self.keys.close()
        self.guesses.close()
        self.idempotency.close()
        self.database.close()


def valid_viewers(
    viewers: Set[Viewer], keys: Keys, operators: Operators, page_sessions: PageSessions
) -> Set[Viewer]:
    """Whose key or operator, and whose sign-in, are still valid."""
    valid = keys.valid({one.caller_id for one in viewers if not one.is_operator})
    valid |= operators.valid({one.caller_id for one in viewers if one.is_operator})
    alive = page_sessions.alive({one.page_digest for one in viewers if one.page_digest})
    return {
        one
        for one in viewers
        if one.caller_id in valid and (one.page_digest is None or one.page_digest in alive)
    }


def cipher_of(settings: Settings, database: Database, *, reading: bool) -> TemplateCipher | None:
    """The cipher for rows at rest; a key is made where there is none, unless nothing is going to be written.

    Raises:
        StartRefused: If there is no key and none may be made.
    """
    keys = TemplateKeys(settings)
    if reading:
        return keys.cipher()
    return keys.cipher_or_new(database, lambda line: log.warning("template_key_made", note=line))


def active_embedder(embedder: Embedder, settings: Settings, models: Models) -> Embedder:
    """The embedder of the active model: the given one, or the one that was promoted.

    The given bundle's model becomes the active one where nobody is enrolled yet.

    Raises:
        StartRefused: If the active model is another one and cannot be opened.
    """
    _, active = models.begin_with(embedder.bundle, replace_unused=True)
    try:
        opened = embedder if active.id == embedder.model_id else open_kept(active, settings)
    except BundleChanged as error:
        raise StartRefused(
            f"The bundle's model {embedder.model_id} is not the active one, and the active one cannot be "
            f"opened: {error} Put it back, or set INVIGIL_BUNDLE to where it is now."
        ) from error
    keep_or_warn(opened.bundle, settings)
    return opened
