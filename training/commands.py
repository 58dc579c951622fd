"""train, evaluate, calibrate, export, mine: they need the `[train]` extra, and say so where it is missing."""

from collections.abc import Callable

COMMANDS: tuple[Callable[..., None], ...] = ()
