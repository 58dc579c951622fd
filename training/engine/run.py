"""The folder of one training: recipe, split, metrics, and checkpoints that a fault cannot harm.

run.json         recipe, digest of the data, network; written once
split.json       identities held out
metrics.jsonl    one line for every log interval and validation
last.pt          where to go on from; best.pt: the best on held-out identities
"""

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import nn

from embedding.files import write_file
from training.errors import CheckpointInvalid, CheckpointNotSaved

FORMAT = 1
LAST = "last.pt"
BEST = "best.pt"


@dataclass(frozen=True)
class RunFolder:
    """Where one training writes."""

    path: Path

    @classmethod
    def create(cls, path: Path, *, resume: bool) -> "RunFolder":
        """The folder, made where it does not exist.

        Raises:
            CheckpointInvalid: If it holds a training that is not to be resumed: it would be overwritten.
        """
        run = cls(path)
        if run.last.is_file() and not resume:
            raise CheckpointInvalid(run.last, "a training is here; resume it, or choose another folder")
        path.mkdir(parents=True, exist_ok=True)
        return run

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, resume: bool) -> "Iterator[RunFolder]":
        """As `create`; what fails before anything is written leaves no folder that was not there."""
        made = [one for one in (path, *path.parents) if not one.exists()]
        try:
            yield cls.create(path, resume=resume)
        except BaseException:
            with suppress(OSError):
                for one in made:
                    one.rmdir()
            raise

    @property
    def last(self) -> Path:
        """The checkpoint that `--resume` goes on from."""
        return self.path / LAST

    @property
    def best(self) -> Path:
        """The checkpoint that was best on held-out identities."""
        return self.path / BEST

    @property
    def chosen(self) -> Path:
        """The checkpoint to make a model of: the best where the training was judged, else the last."""
        return self.best if self.best.is_file() else self.last

    def record(self, name: str, content: Mapping[str, Any]) -> None:
        """Writes a JSON file of the run."""
        text = json.dumps(content, indent=1, ensure_ascii=False)
        write_file(self.path / f"{name}.json", (text + "\n").encode())

    def metrics(self) -> list[dict[str, Any]]:
        """All lines logged so far."""
        text = (self.path / "metrics.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def log(self, **metrics: Any) -> None:
        """Adds a line to the metrics."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")


def save_checkpoint(path: Path, checkpoint: Mapping[str, Any]) -> None:
    """Writes beside the former checkpoint, and takes its place only once all of it is on the disk.

    Raises:
        CheckpointNotSaved: If it could not be written; the former checkpoint is as it was.
    """
    # Serialised in memory: torch reports a full disk as an internal error of its archive writer.
    content = io.BytesIO()
    torch.save(dict(checkpoint), content)
    try:
        write_file(path, content.getbuffer())
    except OSError as error:
        raise CheckpointNotSaved(path, error.strerror or str(error)) from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` wrote; no code in the file is run.

    Raises:
        CheckpointInvalid: If it is no checkpoint of this format.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointInvalid(path, "there is no such checkpoint") from error
    except (RuntimeError, UnpicklingError, EOFError, ValueError, OSError) as error:
        raise CheckpointInvalid(path, "it is not a checkpoint") from error
    if not isinstance(checkpoint, dict) or checkpoint.get("format") != FORMAT:
        raise CheckpointInvalid(path, f"it is not a checkpoint of format {FORMAT}")
    return checkpoint


def load_weights(network: nn.Module, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Puts weights into a network.

    Raises:
        CheckpointInvalid: If they are those of another network; says the first difference.
    """
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in weights.items()}
    for name in sorted(wanted):
        if wanted[name] != found.get(name):
            shapes = f"{name} is {found.get(name, 'absent')} instead of {wanted[name]}"
            raise CheckpointInvalid(path, f"it is of another network: {shapes}")
    if len(found) > len(wanted):
        raise CheckpointInvalid(
            path, f"it is of another network: it has {len(found) - len(wanted)} tensors more"
        )
    network.load_state_dict(dict(weights))
