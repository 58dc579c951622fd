"""Switch to another model: check its comparison, open it everywhere, make its templates, activate it.

The switch is one transaction: everybody enrolled before it who has a kept crop has a template of the new
model. Processes follow by themselves. The former model's templates stay, so a rollback is the same switch in
reverse.
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
from index.models.keeping import find_copy_path, is_whole
from index.models.models import Model, find_active_id
from index.models.reembedding import reembed
from index.sealing.cipher import TemplateCipher

_ROUNDS = 5
"""How many rounds embed the crops that arrived during the previous round before the switch goes ahead without
them."""


@dataclass(frozen=True)
class SwitchResult:
    """The result of a switch.

    Attributes:
        model: The model that is now active.
        reembedded: Number of templates made from kept crops.
        without_template: Subjects without a template of the new model; a former model verifies them.
    """

    model: Model
    reembedded: int
    without_template: list[UUID]


def find_gate_fault(candidate: Model, active: Model | None) -> PromotionRefused | None:
    """Why the comparison of both models forbids promoting the candidate; None if it does not."""
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
    """Open the embedder of a registered model and verify every file.

    Args:
        model: The model, with the folder where it was registered.
        data_dir: The folder of our own copies; a copy takes precedence over the registered folder.
        limits: Largest pictures.
        threads: Threads of each network.

    Raises:
        BundleChanged: If its files are missing, damaged or not those that were registered.
    """
    copy = find_copy_path(data_dir, model.id, model.calibration_id)
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
    """Make the embedder's templates of all kept crops, then switch to its model.

    Args:
        database: With the model registered.
        cipher: Opens the crops.
        embedder: The embedder of the model that becomes active.
        switch: `make_active` or `roll_back`; runs in a transaction without enrolments since the crops were
            embedded.
        expected_active: The active model on which this decision is based.

    Raises:
        ActiveModelChanged: If somebody else has switched meanwhile.
        DatabaseError: If it could not be written; the current model then stays.
    """
    made = 0
    for is_last in (*[False] * _ROUNDS, True):
        with database.read() as db:
            seen = find_newest_change(db).seq
        # No inference and no long reads while all writers wait: both happen before.
        made += reembed(database, embedder, cipher).made
        with database.write() as db:
            actual = find_active_id(db)
            if actual != expected_active:
                raise ActiveModelChanged(expected_active, actual)
            # Enrolments continue meanwhile. The last of these people are verified with the former model until
            # a process that follows the switch has made their new templates, within seconds.
            if is_last or not were_others_added_since(db, embedder.model_id, seen):
                model = switch(db)
                break
    with database.read() as db:
        return SwitchResult(model, made, find_subjects_lacking(db, model.id))
