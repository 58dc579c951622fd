"""Errors of training, measuring and calibrating.

    TrainingError
    ├── ExtraMissing           the `[train]` extra is not installed
    ├── UnknownLoss            no loss of this name; the nearest is named
    ├── UnknownOption          the loss has no such option; the nearest is named
    ├── UnknownMiner           no in-batch miner of this name; the nearest is named
    ├── LossWithoutPairs       a miner or a memory for a loss that knows no pairs
    ├── RecipeInvalid          a recipe that cannot be read, or with an unknown key; the nearest is named
    ├── NetworkInvalid         no network of this name, or it has no such part
    ├── SplitInvalid           an identity on both sides of a split, or too few of them to split
    ├── CheckpointInvalid      no checkpoint, one of another network, or one of other data
    ├── CheckpointNotSaved     the disk is full; the former checkpoint is whole
    ├── TrainingStopped        somebody asked it to stop; the last checkpoint holds all of it
    ├── WorkshopLacks          a worker without what its job needs: a key, the files of a model
    ├── HeldOutTooFew          people held out support no error rate that is small enough
    ├── LabelsDisagree         a picture that two sources give to two people
    ├── FacesChanged           the faces are no longer those that were gathered
    ├── ExportDiffers          an ONNX file that does not compute what the network does
    ├── LossNotFinite          the training diverged; the last good checkpoint is kept
    ├── PicturesInvalid        a folder or archive of pictures that cannot be read as one
    ├── FiguresInvalid         no record of what was measured, or a document without a place for it
    ├── PairsInvalid           a pairs file that cannot be read, or that can decide nothing
    ├── NoComparisons          too few pictures could be used for any error rate
    ├── GroupsInvalid          a list of groups that cannot be read as one, or that is not of these people
    ├── NothingToMine          one identity only, or none with two pictures: no hard negative exists
    ├── PoolInvalid            a list of triplets or known confusions that cannot be read as one
    └── TrainedOn              a calibration set that the network has seen
        ├── IdentityTrained    by label
        └── PictureTrained     by the digest of a picture

A calibration set too small for a false match rate raises `embedding.errors.FmrNotSupported`.
"""

from collections.abc import Collection, Iterable
from pathlib import Path

from index.errors import suggest_nearest


class TrainingError(Exception):
    """Base of all errors of this package."""


class ExtraMissing(TrainingError):
    """The command needs a package of the `[train]` extra."""

    def __init__(self, command: str, package: str) -> None:
        super().__init__(
            f"`{command}` needs {package}, which serving does not: `make train-install` brings it, "
            "as does installing Invigil with the [train] extra."
        )
        self.package = package


class UnknownLoss(TrainingError):
    """No loss of this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no loss {name!r}; {suggest_nearest(name, known)}")
        self.name = name


class UnknownOption(TrainingError):
    """The loss has no such option."""

    def __init__(self, loss: str, option: str, known: Iterable[str]) -> None:
        super().__init__(f"The loss {loss!r} has no option {option!r}; {suggest_nearest(option, known)}")
        self.loss = loss
        self.option = option


class UnknownMiner(TrainingError):
    """No miner of this name chooses pairs in a batch."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no miner {name!r}; {suggest_nearest(name, known)}")
        self.name = name


class LossWithoutPairs(TrainingError):
    """A miner chooses pairs or triplets, and a memory offers more of them; this loss takes neither."""

    def __init__(self, loss: str, usable: Iterable[str]) -> None:
        super().__init__(f"The loss {loss!r} takes no miner and no memory; {', '.join(sorted(usable))} do.")
        self.loss = loss


class RecipeInvalid(TrainingError):
    """A recipe that cannot be used; `key` is the place in it, dotted."""

    def __init__(self, path: Path | str, reason: str, key: str = "") -> None:
        super().__init__(f"{path}: {key + ': ' if key else ''}{reason}")
        self.path = path
        self.key = key
        self.reason = reason


class NetworkInvalid(TrainingError):
    """A description that no network can be built from."""


class SplitInvalid(TrainingError):
    """The parts of a split must have no identity in common, and each must have some."""


class CheckpointInvalid(TrainingError):
    """A file that is not the checkpoint that was wanted."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}.")
        self.path = path
        self.reason = reason


class CheckpointNotSaved(TrainingError):
    """Writing a checkpoint failed, most often because the disk is full."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path} could not be saved ({reason}); the former checkpoint is whole.")
        self.path = path
        self.reason = reason


class TrainingStopped(TrainingError):
    """Somebody asked the training to stop; `step` counts from 1."""

    def __init__(self, step: int) -> None:
        super().__init__(f"The training was stopped after step {step}; it can go on from there.")
        self.step = step


class WorkshopLacks(TrainingError):
    """This worker lacks something that the job needs."""

    def __init__(self, what: str) -> None:
        super().__init__(f"This worker lacks {what}.")


class HeldOutTooFew(TrainingError):
    """The people held out do not support a required false match rate."""

    def __init__(
        self, purpose: str, people: int, wanted: float, smallest: float, enough: int | None = None
    ) -> None:
        advice = "More people with two pictures, or a larger share held out, would help."
        if enough is not None:
            advice = f"{enough} people with as many pictures as these would do, or a larger share held out."
        super().__init__(
            f"The {people} people held out to {purpose} support false match rates from {smallest:.3g}; "
            f"{wanted:g} is needed. {advice}"
        )
        self.enough = enough
        self.wanted = wanted
        self.smallest = smallest


class LabelsDisagree(TrainingError):
    """The same picture under two identities: one of the labels is wrong, but it is unknown which."""

    def __init__(self, pictures: Collection[tuple[str, str]]) -> None:
        shown = "; ".join(f"{a} and {b}" for a, b in list(pictures)[:3])
        more = f" and {len(pictures) - 3} more" if len(pictures) > 3 else ""
        super().__init__(
            f"{len(pictures)} pictures have another identity in another place: {shown}{more}. "
            "Remove the wrong ones."
        )
        self.pictures = tuple(pictures)


class FacesChanged(TrainingError):
    """Gathered faces are missing, or may no longer be used."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The faces are no longer those that were gathered: {reason}. Start a new job.")
        self.reason = reason


class ExportDiffers(TrainingError):
    """The exported file and the network disagree."""

    def __init__(self, difference: float, limit: float) -> None:
        super().__init__(
            f"The file would differ from the network it came from by {difference:.2g}, limit {limit:g}."
        )
        self.difference = difference
        self.limit = limit


class LossNotFinite(TrainingError):
    """The loss is NaN or infinite; `step` counts from 1."""

    def __init__(self, step: int, checkpoint: Path | str) -> None:
        super().__init__(f"The loss of step {step} is not finite; the last good checkpoint is {checkpoint}.")
        self.step = step
        self.checkpoint = checkpoint


class PicturesInvalid(TrainingError):
    """A folder or archive that cannot be read as pictures."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}.")
        self.path = path
        self.reason = reason


class FiguresInvalid(TrainingError):
    """A bundle's figures are not on record, or cannot be written into a document."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}.")
        self.path = path
        self.reason = reason


class PairsInvalid(TrainingError):
    """A pairs file that cannot be read, or that can decide nothing; `line` counts from 1."""

    def __init__(self, path: Path | str, reason: str, line: int | None = None) -> None:
        place = str(path) if line is None else f"{path}, line {line}"
        super().__init__(f"{place}: {reason}.")
        self.path = path
        self.reason = reason
        self.line = line


class NoComparisons(TrainingError):
    """No mated or no non-mated comparison is left; the number of failed pictures shows why."""

    def __init__(self, kind: str, pictures: int, failed: int) -> None:
        super().__init__(
            f"There is no {kind} comparison: of {pictures} pictures {failed} could not be used, "
            "and error rates need people with two pictures, and two people."
        )
        self.kind = kind
        self.pictures = pictures
        self.failed = failed


class GroupsInvalid(TrainingError):
    """A list of people's groups that no comparison can use."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}.")
        self.path = path
        self.reason = reason


class NothingToMine(TrainingError):
    """A triplet needs two pictures of one person and one of another."""

    def __init__(self, identities: int, pictures: int) -> None:
        reason = "there is no second identity" if identities < 2 else "no identity has two pictures"
        super().__init__(
            f"There is nothing to mine in {pictures} pictures of {identities} identities: {reason}."
        )
        self.identities = identities
        self.pictures = pictures


class PoolInvalid(TrainingError):
    """A list of hard triplets, or of known confusions, that cannot be used."""

    def __init__(self, path: Path | str, reason: str) -> None:
        super().__init__(f"{path}: {reason}.")
        self.path = path
        self.reason = reason


class TrainedOn(TrainingError):
    """The calibration set contains training data of the network: its rates would be too good."""

    def __init__(self, what: str, seen: Collection[str]) -> None:
        shown = ", ".join(sorted(seen)[:5])
        more = f" and {len(seen) - 5} more" if len(seen) > 5 else ""
        super().__init__(f"The network was trained on {len(seen)} {what} of this set: {shown}{more}.")
        self.seen = frozenset(seen)


class IdentityTrained(TrainedOn):
    """The same label is in the training split."""

    def __init__(self, identities: Collection[str]) -> None:
        super().__init__("identities", identities)


class PictureTrained(TrainedOn):
    """The same bytes are in the training split, under any label."""

    def __init__(self, pictures: Collection[str]) -> None:
        super().__init__("pictures", pictures)
