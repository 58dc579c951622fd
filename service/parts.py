"""Everything the service is made of, opened once; the web application and the command line share it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from embedding.embedder import Embedder
from embedding.errors import FmrNotSupported
from index.cipher import TemplateCipher
from index.database import Database
from index.gallery import Gallery
from index.models import Models
from index.subjects import Subjects
from service.access.idempotency import Idempotency
from service.access.keys import Keys
from service.decision import Policy
from service.errors import StartRefused
from service.exams.desk import Desk
from service.exams.live import Live
from service.logs import log
from service.metrics import Metrics
from service.pictures import PictureWork
from service.settings import Settings


@dataclass(frozen=True)
class Parts:
    """The open parts of one process.

    Attributes:
        policy: The thresholds of verify, compare and search.
        duplicate_fmr: The rate in force for duplicates at enrolment; the calibration may be too small for
            the one in the settings, and then this is the smallest it supports.
        duplicate_d: The distance at that rate.
    """

    settings: Settings
    database: Database
    embedder: Embedder
    gallery: Gallery
    subjects: Subjects
    models: Models
    keys: Keys
    idempotency: Idempotency
    metrics: Metrics
    pictures: PictureWork
    policy: Policy
    duplicate_fmr: float
    duplicate_d: float
    desk: Desk
    live: Live

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """Open everything; the database must be at the program's revision.

        Raises:
            StartRefused: If the calibration cannot serve the settings, or another model is active.
            BundleError: If the bundle is missing or damaged.
            DatabaseError: If the database is unavailable or at another revision.
        """
        threads = settings.picture_workers
        return cls.around(settings, Embedder.open(settings.bundle, settings.image_limits, threads=threads))

    @classmethod
    def around(cls, settings: Settings, embedder: Embedder) -> Self:
        """Open everything else for an embedder that is open already; raises as `open`."""
        policy = policy_of(embedder, settings)
        duplicate_fmr = max(settings.duplicate_fmr, policy.calibration.smallest_fmr)
        database = Database(settings.database)
        database.require_current()
        subjects, models = Subjects(database), Models(database)
        require_active(embedder, models, subjects)
        cipher = cipher_of(settings)
        gallery = Gallery(database, model_id=embedder.model_id, dim=embedder.dim, cipher=cipher)
        gallery.catch_up()
        desk = Desk(database, embedder, gallery, policy, cipher)
        return cls(
            settings=settings,
            database=database,
            embedder=embedder,
            gallery=gallery,
            subjects=subjects,
            models=models,
            keys=Keys(database),
            idempotency=Idempotency(database, timedelta(hours=settings.idempotency_hours)),
            metrics=Metrics(),
            pictures=PictureWork(settings.picture_workers, settings.picture_queue),
            policy=policy,
            duplicate_fmr=duplicate_fmr,
            duplicate_d=policy.calibration.threshold(duplicate_fmr),
            desk=desk,
            live=Live(desk),
        )

    def watch(self) -> None:
        """Let the metrics read the gauges of these parts."""
        self.metrics.describe_model(self.embedder.model_id, self.policy.calibration.id)
        self.metrics.watch(
            "invigil_pictures_admitted", "Pictures being received, waiting or worked on.", self.pictures.count
        )
        self.metrics.watch(
            "invigil_pictures_waiting", "Pictures waiting for a worker.", self.pictures.waiting
        )
        self.metrics.watch("invigil_templates", "Templates in this process's index.", self.gallery.__len__)

    def close(self) -> None:
        """Finish what is running, then let go of everything."""
        self.live.close()
        self.pictures.close()
        self.keys.close()
        self.database.close()


def cipher_of(settings: Settings) -> TemplateCipher | None:
    """The cipher for templates at rest, where a key is set."""
    return (
        TemplateCipher.from_text(settings.template_key.get_secret_value()) if settings.template_key else None
    )


def policy_of(embedder: Embedder, settings: Settings) -> Policy:
    """The thresholds at the configured rates.

    Raises:
        StartRefused: If the calibration is too small for them; nothing is guessed.
        BundleInvalid: If the bundle has no calibration.
    """
    calibration = embedder.bundle.calibration
    try:
        policy = Policy.of(calibration, settings.match_fmr, settings.refer_fmr)
    except FmrNotSupported as error:
        raise StartRefused(
            f"The calibration of the model bundle supports false match rates from {error.smallest:.3g}; "
            f"INVIGIL_MATCH_FMR is {settings.match_fmr:g}, INVIGIL_REFER_FMR is {settings.refer_fmr:g}."
        ) from error
    if settings.duplicate_fmr < calibration.smallest_fmr:
        log.warning(
            "duplicate_fmr_not_supported", asked=settings.duplicate_fmr, in_force=calibration.smallest_fmr
        )
    return policy


def require_active(embedder: Embedder, models: Models, subjects: Subjects) -> None:
    """Make the bundle's model the active one where nobody is enrolled under another.

    Raises:
        StartRefused: If templates of another model are in use.
    """
    active = models.begin_with(embedder.bundle)
    if active.state == "active":
        return
    if subjects.page(limit=1, has_template=True).items:
        raise StartRefused(
            f"The bundle's model {embedder.model_id} is not the active one; "
            "promote it with `invigil models promote`, or set INVIGIL_BUNDLE to the active model's bundle."
        )
    models.activate(embedder.model_id, actor="system")
