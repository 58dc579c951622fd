"""What two computations of the same numbers may differ by, on whichever processor the tests run."""

from embedding.networks import computes_in_bfloat16


def tolerance(f32: float, bf16: float) -> float:
    """The one of this processor: where it computes in bfloat16, a number keeps eight bits."""
    return bf16 if computes_in_bfloat16() else f32
