"""What a process decides with: the model in use, and former models for those whom only they know.

A request takes one `Serving` at its start and finishes with it, whatever is switched meanwhile. Templates of
two models are never compared: a probe is made once for each model that is asked, from the same crop.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Self
from uuid import UUID

from embedding.calibration import Calibration
from embedding.embedder import Embedder, Embedding
from embedding.errors import FmrNotSupported
from embedding.image import Pixels
from embedding.template import Template
from index.database.database import Database
from index.gallery.gallery import DuplicateProbe, EnrolmentLimits, Gallery, Nearest
from index.gallery.replay import LeftOut
from index.sealing.cipher import TemplateCipher
from service.decisions.decision import Policy
from service.errors import StartRefused
from service.logs import log
from service.settings import Settings


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """One model, ready to decide with.

    Attributes:
        policy: The thresholds of verify, compare and search.
        duplicate_fmr: The rate in force for duplicates at enrolment; the calibration may be too small for
            the one in the settings, and then this is the smallest it supports.
        duplicate_d: The distance at that rate.
    """

    embedder: Embedder
    gallery: Gallery
    policy: Policy
    duplicate_fmr: float
    duplicate_d: float

    @classmethod
    def around(
        cls, embedder: Embedder, settings: Settings, database: Database, cipher: TemplateCipher | None
    ) -> Self:
        """Everything else for an open embedder; its gallery is read.

        Raises:
            StartRefused: If the calibration is too small for the configured rates; nothing is guessed.
            BundleInvalid: If the bundle has no calibration.
            DatabaseError: If the database cannot be reached.
        """
        policy = policy_of_settings(embedder, settings)
        duplicate_fmr = max(settings.duplicate_fmr, policy.calibration.smallest_fmr)
        gallery = Gallery(database, model_id=embedder.model_id, dim=embedder.dim, cipher=cipher)
        gallery.catch_up()
        duplicate_d = policy.calibration.threshold(duplicate_fmr)
        return cls(
            embedder.with_face_policies(settings.face_policies), gallery, policy, duplicate_fmr, duplicate_d
        )

    @property
    def id(self) -> str:
        """The model's id."""
        return self.gallery.model_id

    @property
    def calibration(self) -> Calibration:
        """What the model's distances mean."""
        return self.policy.calibration

    @property
    def enrolment_limits(self) -> EnrolmentLimits:
        """What the distances of a new template mean."""
        return EnrolmentLimits(self.duplicate_d, near=self.policy.match, own=self.policy.refer)

    def template_of(self, probe: Embedding) -> Template:
        """This model's template of a face; of another model's probe, the crop is embedded again."""
        return self.template_of_crop(probe.crop) if probe.template.model_id != self.id else probe.template

    def template_of_crop(self, crop: Pixels) -> Template:
        """This model's template of a (112, 112, 3) crop."""
        return Template(self.embedder.embed_crops(crop[None])[0], self.id)

    def supported_policy(self, match_fmr: float, refer_fmr: float) -> Policy:
        """The thresholds at these rates; where the calibration cannot support one, at its smallest."""
        match = max(match_fmr, self.calibration.smallest_fmr)
        return Policy.of(self.calibration, match, max(refer_fmr, match))


@dataclass(frozen=True)
class Found:
    """Somebody whom one model found near to the probe."""

    model: LoadedModel
    nearest: Nearest

    @property
    def rarity(self) -> tuple[float, float]:
        """What finds of several models are put in order by: the false match rate at d, then d."""
        d, calibration = self.nearest.d, self.model.calibration
        beyond = 0.0 if d < calibration.curve[0].d else 1.0
        rate = calibration.fmr_at(d)
        return (beyond if rate is None else rate), d


@dataclass(frozen=True)
class Serving:
    """The models of one process at one moment.

    Attributes:
        former: Those that know somebody whom no newer one knows, the newest first.
    """

    active: LoadedModel
    former: tuple[LoadedModel, ...] = ()

    @property
    def models(self) -> tuple[LoadedModel, ...]:
        """Every model, the newest first."""
        return self.active, *self.former

    @property
    def ids(self) -> tuple[str, ...]:
        """The id of every model, the newest first."""
        return tuple(model.id for model in self.models)

    def model_of(self, subject_id: UUID | None) -> LoadedModel:
        """The newest model that knows the subject; the active one where none does."""
        if subject_id is None or not self.former:
            return self.active
        return self.models_of([subject_id]).get(subject_id, self.active)

    def models_of(self, subject_ids: Collection[UUID]) -> dict[UUID, LoadedModel]:
        """The newest model that knows each subject; whom none knows is left out."""
        known = self.active.gallery.models_of(subject_ids)
        by_id = {model.id: model for model in reversed(self.models)}
        return {
            subject_id: next(model for model in self.models if model.id in theirs)
            for subject_id, theirs in known.items()
            if theirs & by_id.keys()
        }

    def nearest(
        self,
        probe: Embedding,
        k: int,
        max_d: Callable[[LoadedModel], float],
        within: Collection[UUID] | None = None,
    ) -> list[Found]:
        """The k people with the smallest false match rate at their distance, each under their newest model.

        Args:
            probe: Of any of the models.
            k: How many people at most.
            max_d: Largest d under a model.
            within: Only these subjects.
        """
        found = [
            Found(model, one)
            for model, newer in self._each()
            for one in model.gallery.nearest(
                model.template_of(probe), k, max_d=max_d(model), within=within, unknown_to=newer
            )
        ]
        return sorted(found, key=lambda one: one.rarity)[:k]

    @property
    def left_out(self) -> list[LeftOut]:
        """Templates of every model that no search sees, because their rows do not open."""
        return [one for model in self.models for one in model.gallery.left_out]

    def not_searched(self, within: Collection[UUID] | None = None) -> int:
        """How many templates a search among these subjects, or among all, does not see."""
        return sum(model.gallery.not_searched(within) for model in self.models)

    def find_unreadable(self, subject_ids: Collection[UUID]) -> set[UUID]:
        """Those of the subjects of whom a row of the model that knows them does not open."""
        known = self.models_of(subject_ids)
        return {
            one
            for model in self.models
            for one in model.gallery.find_unreadable([each for each in known if known[each] is model])
        }

    def former_probes(self, probe: Embedding) -> list[DuplicateProbe]:
        """The same face under each former model, to look for duplicates."""
        return [
            DuplicateProbe(model.gallery, model.template_of(probe), model.enrolment_limits, newer)
            for model, newer in self._each()
            if newer
        ]

    def _each(self) -> Iterator[tuple[LoadedModel, tuple[str, ...]]]:
        """Each model with the ids of the newer ones."""
        for place, model in enumerate(self.models):
            yield model, self.ids[:place]


def policy_of_settings(embedder: Embedder, settings: Settings) -> Policy:
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


def same_rate_d(d: float, theirs: Calibration, ours: Calibration) -> float:
    """The distance that is as rare under one calibration as `d` is under the other.

    What is nearer than any rate the other can speak of counts as 0: the nearest there is.
    """
    if theirs == ours:
        return d
    rate = theirs.fmr_at(d)
    if rate is None:
        return 0.0 if d < theirs.curve[0].d else ours.curve[-1].d
    return ours.threshold(min(max(rate, ours.smallest_fmr), ours.largest_fmr))
