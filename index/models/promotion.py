"""Another model becomes the active one: compared, opened everywhere, its templates made, then switched to.

The switch is one transaction: whoever was enrolled before it has, where a crop is kept, a template of the new
model. Processes follow by themselves. What was enrolled under the former model stays, so a rollback is the
same switch the other way.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from embedding.embedder import DEFAULT_LIMITS, Embedder
from embedding.errors import BundleError
from embedding.image import ImageLimits
from index.database.database import Database
from index.gallery.changes import find_newest_change
from index.gallery.coverage import find_subjects_lacking, were_others_added_since
from index.models.errors import ActiveModelChanged, BundleChanged, PromotionRefused
from index.models.keeping import copy_of, is_whole
from index.models.models import Model, find_active_id
from index.models.reembedding import reembed
from index.sealing.cipher import TemplateCipher

_ROUNDS = 5
"""How often crops that came during the last look are embedded before the switch is made without them."""


@dataclass(frozen=True)
class SwitchResult:
    """A switch that was made.

    Attributes:
        model: The one that is active now.
        reembedded: Templates that were made of kept crops.
        without_template: Subjects whom the new model does not know; they are verified with a former one.
    """

    model: Model
    reembedded: int
    without_template: list[UUID]


def find_gate_fault(candidate: Model, active: Model | None) -> PromotionRefused | None:
    """Why the comparison of both speaks against the candidate; None where it does not."""
    gate = candidate.gate
    if active is None:
        return None
    if gate is None:
        return PromotionRefused("it was not compared with the active model", [])
    if gate.get("incumbent_id") != active.id:
        return PromotionRefused(
            f"it was compared with model {gate.get('incumbent_id')}, not the active one", []
        )
    if gate.get("verdict") != "not_worse":
        worse_in = [str(one) for one in gate.get("worse_in") or []]
        return PromotionRefused(
            f"it is worse than the active model in {', '.join(worse_in) or '?'}", worse_in
        )
    return None


def open_registered(
    model: Model, data_dir: Path, limits: ImageLimits = DEFAULT_LIMITS, threads: int | None = None
) -> Embedder:
    """The embedder of a registered model, every file verified.

    Args:
        model: With the place where it was registered.
        data_dir: Where our own copy is, if it was in use before; it goes before that place.
        limits: Of pictures.
        threads: Of each network.

    Raises:
        BundleChanged: If its files are missing or damaged, or not those that were registered.
    """
    copy = copy_of(data_dir, model.id, model.calibration_id)
    if is_whole(copy):
        return _open_at(copy, model, limits, threads)
    if model.location is None:
        raise BundleChanged(model.id, "it was registered without a place.")
    return _open_at(Path(model.location), model, limits, threads)


def _open_at(place: Path, model: Model, limits: ImageLimits, threads: int | None) -> Embedder:
    try:
        embedder = Embedder.open(place, limits, threads)
    except BundleError as error:
        raise BundleChanged(model.id, str(error)) from error
    if embedder.model_id != model.id:
        raise BundleChanged(model.id, f"at {place} there is model {embedder.model_id} now.")
    calibration = embedder.bundle.manifest.calibration
    if (calibration.id if calibration else None) != model.calibration_id:
        raise BundleChanged(model.id, f"it was registered with calibration {model.calibration_id}.")
    return embedder


def switch_to(
    database: Database,
    cipher: TemplateCipher | None,
    embedder: Embedder,
    switch: Callable[[Session], Model],
    *,
    expected_active: str | None,
) -> SwitchResult:
    """Make the embedder's templates of the kept crops, then switch to its model.

    Args:
        database: With the model registered.
        cipher: Opens the crops.
        embedder: Of the model that becomes active.
        switch: `make_active` or `roll_back`, in a transaction that finds no enrolment since the crops were
            embedded.
        expected_active: The model that is active while this is decided.

    Raises:
        ActiveModelChanged: If somebody else switched meanwhile.
        DatabaseError: If it could not be written; then the present model stays.
    """
    made = 0
    for is_last in (*[False] * _ROUNDS, True):
        with database.read() as db:
            seen = find_newest_change(db).seq
        # No network runs and nothing long is read while every writer waits: both are done before.
        made += reembed(database, embedder, cipher).made
        with database.write() as db:
            actual = find_active_id(db)
            if actual != expected_active:
                raise ActiveModelChanged(expected_active, actual)
            # Enrolments go on meanwhile. Whoever comes with the last of them is verified with the former
            # model until a process that follows the switch has made the new template, within seconds.
            if is_last or not were_others_added_since(db, embedder.model_id, seen):
                model = switch(db)
                break
    with database.read() as db:
        return SwitchResult(model, made, find_subjects_lacking(db, model.id))
