"""Values in portions that fit into one statement."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# Both databases take far more parameters in one statement (SQLite 32,766).
IN_ONE_QUERY = 5_000


def batches(values: Iterable[T]) -> Iterator[Sequence[T]]:
    """The values in their order, in portions that fit into one statement."""
    wanted = list(values)
    for start in range(0, len(wanted), IN_ONE_QUERY):
        yield wanted[start : start + IN_ONE_QUERY]
