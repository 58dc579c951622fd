"""The optimiser of a recipe against plain arithmetic."""

import pytest
import torch
from made_training import tiny_recipe
from torch import nn

from training.embedder.recipe import OptimiserPart
from training.engine.optimise import Method, build_optimiser


def test_gradient_descent_with_momentum_moves_a_weight_as_its_plain_loop_does_and_decays_no_bias() -> None:
    layer = nn.Linear(1, 1).double()
    with torch.no_grad():
        layer.weight.fill_(2.0)
        layer.bias.fill_(-1.0)
    part = OptimiserPart(
        samples=64, method=Method.SGD, learning_rate=0.1, betas=(0.8, 0.98), weight_decay=0.5
    )
    optimiser = build_optimiser(layer, part, part.method)
    weight, bias = 2.0, -1.0
    speed = {"weight": 0.0, "bias": 0.0}

    for step in range(4):
        loss = (layer(torch.tensor([[3.0]], dtype=torch.float64)) - 1).square().sum()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        error = 2 * (3 * weight + bias - 1)
        for name, gradient in (("weight", 3 * error + 0.5 * weight), ("bias", error)):
            speed[name] = gradient if step == 0 else 0.8 * speed[name] + gradient
            moved = -0.1 * (gradient + 0.8 * speed[name])
            weight, bias = (weight + moved, bias) if name == "weight" else (weight, bias + moved)
        assert layer.weight.item() == pytest.approx(weight)
        assert layer.bias.item() == pytest.approx(bias)


def test_a_recipe_says_how_weights_are_changed_and_adamw_is_the_default() -> None:
    assert tiny_recipe().optimiser.method is Method.ADAMW
    assert tiny_recipe(optimiser={"method": "sgd"}).optimiser.method is Method.SGD
