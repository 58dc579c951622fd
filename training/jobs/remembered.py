"""What the engine remembers of a job, as JSON: nothing that it reads from the database can be code.

By itself the engine keeps pickles. Whatever it was told to write, it reads one where a row says that it is
one, so whoever can write the database could run what they like in the worker. Pickles are refused here, for
the whole process.
"""

import json
from typing import Any, NoReturn

from dbos import Serializer
from dbos import error as engine
from dbos._serialization import DefaultSerializer

from training.jobs.lease import JobCancelled

FORMAT = "invigil_json"

Remembered = dict[str, Any]


class PickleRefused(Exception):
    """A row of the engine's tables that holds a pickle: of an earlier version, or put in by somebody."""


class StepFailed(Exception):
    """A step that will not succeed by being done again; made of texts alone, for the engine keeps it.

    Args:
        step: Its name.
        code: Of the error.
        detail: In one line.
    """

    def __init__(self, step: str, code: str, detail: str) -> None:
        super().__init__(step, code, detail)
        self.step = step
        self.code = code
        self.detail = detail


class MayPass(StepFailed):
    """A step that may succeed when it is done again later."""


FAILURES: dict[str, type[StepFailed]] = {"StepFailed": StepFailed, "MayPass": MayPass}


class AsJson(Serializer):
    """Plain values and our own errors; of any other error its kind alone."""

    def name(self) -> str:
        """As a row says it."""
        return FORMAT

    def serialize(self, data: Any) -> str:
        """A value, or an error.

        Raises:
            TypeError: If JSON has no form for it.
        """
        if isinstance(data, BaseException):
            return json.dumps({"error": encode_error(data)})
        return json.dumps({"value": data})

    def deserialize(cls, serialized_data: str) -> Any:  # noqa: N805  # as the library names it
        """What `serialize` was given; tuples come back as lists.

        Raises:
            ValueError, KeyError: If it is not what `serialize` makes.
        """
        document = json.loads(serialized_data)
        return decode_error(document["error"]) if "error" in document else document["value"]


def encode_error(error: BaseException) -> Remembered:
    """An error as JSON."""
    kind = type(error).__name__
    match error:
        case StepFailed():
            return {"kind": kind, "texts": [error.step, error.code, error.detail]}
        case engine.DBOSMaxStepRetriesExceeded():
            tried = [encode_error(one) for one in error.errors]
            return {"kind": kind, "step": error.step_name, "retries": error.max_retries, "errors": tried}
        case _:
            return {"kind": kind}


def decode_error(document: Remembered) -> Exception:
    """The error that was remembered; one of another kind is a failure whose log says more."""
    kind = str(document["kind"])
    if kind in FAILURES:
        return FAILURES[kind](*map(str, document["texts"]))
    if kind == JobCancelled.__name__:
        return JobCancelled()
    if kind == engine.DBOSMaxStepRetriesExceeded.__name__:
        tried = [decode_error(one) for one in document["errors"]]
        return engine.DBOSMaxStepRetriesExceeded(str(document["step"]), int(document["retries"]), tried)
    return StepFailed("", kind, "the worker failed; its log says how")


def refuse_pickles() -> None:
    """Take the engine's way to read pickles away, in this process.

    It may still write one: the refusal of a row, in the format of that row, which nobody reads again.
    """
    DefaultSerializer.deserialize = _refuse  # type: ignore[assignment, method-assign]


def _refuse(*_: object) -> NoReturn:
    raise PickleRefused("the engine's tables hold a pickle; it is not read")
