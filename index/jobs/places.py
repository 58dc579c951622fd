"""The files that a job submitted over HTTP may read: those below folders that the operator allows.

The service checks before it queues a job, and the worker again before it reads, because only the machine that
follows a symbolic link knows its target. A job from the command line reads what its caller may read anyway.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.errors import JobInvalid

PROJECT = Path(__file__).resolve().parents[2]
SHIPPED = PROJECT / "training" / "checkpoints"
"""The checkpoints that the project's own recipes start from; public, so any job may read them."""
RECIPES = PROJECT / "training" / "recipes"

RECIPE_PLACES = ("start_from", "data.split_of", "teacher.path", "mining.confusions", "mining.pool")
"""Every key of a recipe whose value is a file or a folder."""
BESIDE_DATA = frozenset({"teacher.path", "mining.confusions", "mining.pool"})
"""Those keys whose paths are relative to the data."""


@dataclass(frozen=True)
class Place:
    """A file or folder that a job names.

    Attributes:
        key: The key that names it, for error messages.
        path: The path that would be opened.
    """

    key: str
    path: Path


def refuse_places_outside(
    folders: Sequence[Path], places: Iterator[Place], secrets: Sequence[Path] = ()
) -> None:
    """Refuse a job that names any path outside these folders, whether it exists or not, or a secret in them.

    Args:
        folders: The job may read only below these.
        places: The paths that it names.
        secrets: Files of the installation that no job may read, nor any folder that contains one.

    Raises:
        JobInvalid: Naming the key.
    """
    roots = [*(folder.resolve() for folder in folders), SHIPPED]
    for place in places:
        if any(holds_secret(place.path, secret) for secret in secrets):
            raise JobInvalid(place.key, "it is, or it holds, a file of the installation that no job may read")
        if not _is_below(place.path, roots):
            raise JobInvalid(
                place.key,
                f"{str(place.path)[:200]!r} is not in a folder that jobs may read: the operator names those "
                "in INVIGIL_JOB_FOLDERS",
            )


def holds_secret(place: Path, secret: Path) -> bool:
    """Whether a path is a secret file, under any name, or a folder above it."""
    try:
        if secret.resolve().is_relative_to(place.resolve()):
            return True
        return place.is_file() and secret.is_file() and place.samefile(secret)
    except (OSError, RuntimeError, ValueError):
        # One of them cannot be inspected or does not exist.
        return False


def find_places(params: Mapping[str, Any]) -> Iterator[Place]:
    """Every path in the parameters of a job of any kind."""
    data = params.get("data") or ()
    data = [data] if isinstance(data, str) else [place for place in data if isinstance(place, str)]
    yield from (Place("params/data", Path(place)) for place in data)
    if isinstance(params.get("groups"), str):
        yield Place("params/groups", Path(params["groups"]))
    if isinstance(params.get("start_from"), str):
        yield Place("params/start_from", resolve_checkpoint(params["start_from"]))
    recipe = params.get("recipe")
    if isinstance(recipe, str) and not is_shipped(recipe):
        yield Place("params/recipe", Path(recipe))
    if isinstance(recipe, Mapping):
        # Without a folder of faces, the training works next to the job's own.
        yield from find_recipe_places(recipe, [Path(place) for place in data[:1]])


def find_recipe_places(recipe: Mapping[str, Any], data: Sequence[Path]) -> Iterator[Place]:
    """Every path in a recipe.

    Args:
        recipe: As a table.
        data: The folder that some of its paths are relative to, if known.
    """
    for key in RECIPE_PLACES:
        named = _look_up(recipe, key)
        if not isinstance(named, str) or not named:
            continue
        if key not in BESIDE_DATA:
            yield Place(f"params/recipe/{key.replace('.', '/')}", resolve_checkpoint(named))
        elif data or Path(named).is_absolute() or ".." in Path(named).parts:
            base = data[0] if data else Path("/")
            yield Place(f"params/recipe/{key.replace('.', '/')}", base / named)


def is_shipped(recipe: str) -> bool:
    """Whether a recipe's name is that of a shipped one."""
    return recipe in {path.stem for path in RECIPES.glob("*.toml")}


def resolve_checkpoint(named: str) -> Path:
    """Resolve a checkpoint's path, relative to the working directory or to the project."""
    path, beside = Path(named), PROJECT / named
    try:
        return path if path.is_file() or not beside.is_file() else beside
    except (OSError, ValueError):
        return path


def _is_below(path: Path, roots: Sequence[Path]) -> bool:
    try:
        real = path.resolve()
    except (OSError, RuntimeError, ValueError):
        # The name is too long, has a loop of links, or contains a NUL.
        return False
    return any(real.is_relative_to(root) for root in roots)


def _look_up(table: Mapping[str, Any], key: str) -> Any:
    found: Any = table
    for step in key.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found
