"""Our own copy of every bundle in use, in the data folder, which upgrades of the program do not touch.

The path of a copy follows from its content, so nothing needs to be recorded: each machine finds its own, and
processes that copy at the same time write the same.
"""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from embedding.bundle import Bundle
from embedding.errors import BundleError
from embedding.installation import copy_bundle


def find_copy_path(data_dir: Path, model_id: str, calibration_id: str | None) -> Path:
    """The path of the copy of a model's bundle, whether it exists or not.

    The calibration is not part of a model's id, and an upgrade may bring a better one.
    """
    # Longer than any name that a retraining may give to a bundle next to it.
    return data_dir / "models" / "-".join([model_id.replace(":", "-"), calibration_id or "uncalibrated"])


def find_bundle(places: Iterable[Path], model_id: str, calibration_id: str | None) -> Bundle | None:
    """The intact bundle of this model and calibration in the first folder that has one, or None."""
    for place in places:
        try:
            bundle = Bundle.load(place)
        except BundleError:
            continue
        calibration = bundle.manifest.calibration
        if bundle.model_id == model_id and (calibration.id if calibration else None) == calibration_id:
            return bundle
    return None


def keep_copy(bundle: Bundle, data_dir: Path) -> Path:
    """Copy a bundle unless an intact copy exists; returns the folder of the copy.

    Raises:
        OSError: If the disk is full or not writable.
        BundleError: If the bundle has changed.
    """
    calibration = bundle.manifest.calibration
    place = find_copy_path(data_dir, bundle.model_id, calibration.id if calibration else None)
    if place == bundle.path or is_whole(place):
        return place
    # A retrained network is what it has learnt of people: nobody else looks into these folders.
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.parent.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=place.parent) as scratch:
        draft = copy_bundle(bundle, Path(scratch) / "whole").path
        try:
            draft.rename(place)
        except OSError:
            # Something exists: a copy that another process has just made is as good; a damaged one is
            # replaced.
            if not is_whole(place):
                shutil.rmtree(place, ignore_errors=True)
                draft.rename(place)
    return place


def is_whole(place: Path) -> bool:
    """Whether the folder has a bundle whose files all match its manifest."""
    try:
        Bundle.load(place)
    except BundleError:
        return False
    return True
