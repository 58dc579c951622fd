"""The model in use, whitened by a site's own people: what a retraining begins with and is held to.

A site's camera adds differences between pictures of one person that the model has not learned to overlook.
Whitening takes the most common ones out in closed form, so that a few hundred people suffice.
"""

from dataclasses import dataclass
from pathlib import Path

from embedding.bundle import Bundle
from training.data.faces import FaceSet, Split
from training.embedder.export import export_bundle
from training.embedder.whiten import Progress, whiten_checkpoint

NAME = "whitened-start"


@dataclass(frozen=True)
class WhitenedStart:
    """Files in the folder of the job.

    Attributes:
        checkpoint: What the training starts from.
        bundle: The same network, whose vectors are the training's targets.
        faces: How many the covariance was measured on.
    """

    checkpoint: Path
    bundle: Path
    faces: int


def whiten_start(
    start: Path,
    folder: Path,
    faces: FaceSet,
    split: Split,
    incumbent: Bundle,
    smoothing: float,
    progress: Progress,
) -> WhitenedStart:
    """Whiten a checkpoint by the people of a split that may be trained on; again, it gives the same.

    Raises:
        CheckpointInvalid, CheckpointNotSaved, SplitInvalid: As `training.embedder.whiten.whiten`.
    """
    folder.mkdir(exist_ok=True)
    checkpoint, bundle = folder / "whitened.pt", folder / NAME
    used = whiten_checkpoint(start, checkpoint, faces, split, progress, smoothing)
    export_bundle(checkpoint, incumbent.detector, bundle, NAME, both_sides=True)
    return WhitenedStart(checkpoint, bundle, used)
