"""Our own copy of every bundle in use, in the data folder, where no upgrade of the program reaches.

Where a copy lies follows from what it is, so nothing needs to be written down: each machine finds its own,
and processes that make one at the same time make the same.
"""

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from embedding.bundle import Bundle
from embedding.errors import BundleError
from embedding.installation import copy_bundle


def copy_of(data_dir: Path, model_id: str, calibration_id: str | None) -> Path:
    """Where the copy of a model's bundle is, if there is one.

    The calibration is no part of a model's id, and is not the same when an upgrade brings a better one.
    """
    # Longer than any name a retraining may give to a bundle beside it.
    return data_dir / "models" / "-".join([model_id.replace(":", "-"), calibration_id or "uncalibrated"])


def find_bundle(places: Iterable[Path], model_id: str, calibration_id: str | None) -> Bundle | None:
    """The first of these folders that holds a model whole and with its calibration; None where none does."""
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
    """Copy a bundle, unless its copy is there and whole; returns the folder of the copy.

    Raises:
        OSError: If there is no room, or nothing may be written.
        BundleError: If the bundle is no longer what it was.
    """
    calibration = bundle.manifest.calibration
    place = copy_of(data_dir, bundle.model_id, calibration.id if calibration else None)
    if place == bundle.path or is_whole(place):
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=place.parent) as scratch:
        draft = copy_bundle(bundle, Path(scratch) / "whole").path
        try:
            draft.rename(place)
        except OSError:
            # Something is there: what another process has just made is as good, a damaged copy is replaced.
            if not is_whole(place):
                shutil.rmtree(place, ignore_errors=True)
                draft.rename(place)
    return place


def is_whole(place: Path) -> bool:
    """Whether a bundle is here with every file as its manifest says."""
    try:
        Bundle.load(place)
    except BundleError:
        return False
    return True
