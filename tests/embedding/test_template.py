"""d(A, B) between templates."""

import numpy as np
import pytest

from embedding.errors import ModelMismatch
from embedding.template import Template, distance


def template(*components: float, model_id: str = "sha256:a") -> Template:
    return Template(np.array(components, np.float32), model_id)


def test_the_distance_is_the_squared_one() -> None:
    a, b = template(1, 0), template(0.6, 0.8)

    d = distance(a, b)

    assert d == pytest.approx(0.8)  # (1 - 0.6)² + 0.8²; unsquared it would be 0.894


def test_opposite_templates_are_four_apart() -> None:
    assert distance(template(1, 0), template(-1, 0)) == 4


def test_a_template_has_no_distance_to_itself() -> None:
    assert distance(template(0.6, 0.8), template(0.6, 0.8)) == 0


def test_rounding_never_yields_a_distance_beyond_four() -> None:
    a, b = template(1.0000001, 0), template(-1.0000001, 0)

    assert distance(a, b) == 4


def test_templates_of_two_models_are_not_compared() -> None:
    ours, foreign = template(1, 0), template(1, 0, model_id="sha256:b")

    with pytest.raises(ModelMismatch) as refusal:
        distance(ours, foreign)

    assert (refusal.value.expected, refusal.value.actual) == ("sha256:a", "sha256:b")
