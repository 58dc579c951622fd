"""The training of the decoder: it redraws photographs, is recognised, and looks sharp, in this order."""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator, default_rng
from torch import Tensor, nn

from training.embedder.weights import load_network
from training.engine.run import RunFolder, load_checkpoint, save_checkpoint
from training.errors import NetworkInvalid
from training.networks.decoder import FaceDecoder, PatchCritic
from training.networks.embedder import DenseTrunk
from training.people.linear import Codes
from training.people.material import Faces
from training.people.recipe import PeopleRecipe


class Judge(nn.Module):
    """A frozen embedder: its template of a face, and its early feature maps.

    Args:
        path: Its checkpoint.
        translation: (dim + 1, dim) from the shipped embedder's templates to its own, the last row added; None
            where they are the same.

    Raises:
        CheckpointInvalid: If it is not a checkpoint.
        NetworkInvalid: If its network is of another kind than ours.
    """

    def __init__(self, path: Path, translation: Tensor | None = None) -> None:
        super().__init__()
        self.translation = translation
        network = load_network(path).requires_grad_(False)
        if not isinstance(network.trunk, DenseTrunk):
            raise NetworkInvalid(f"{path} holds no dense network, and no other kind can judge.")
        self.trunk: Any = network.trunk
        use_channels_last(self.trunk)

    def translate(self, templates: Tensor) -> Tensor:
        """(n, dim) of unit length: the shipped embedder's templates, translated to this embedder."""
        if self.translation is None:
            return templates
        return F.normalize(templates @ self.translation[:-1] + self.translation[-1], dim=1)

    def forward(self, faces: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(n, 3, 112, 112) to (n, dim) of unit length and what `views` returns."""
        seen = self.views(faces)
        x = seen[-1]
        for blocks in self.trunk.stages[2:]:
            x = blocks(x)
        x = F.relu(self.trunk.head_norm(self.trunk.head(x)))
        template = self.trunk.project_norm(self.trunk.project(x.flatten(1)))
        return F.normalize(template.float(), dim=1), seen

    def views(self, faces: Tensor) -> list[Tensor]:
        """(n, 3, 112, 112) to the first two stages' features, (n, widths[0], 28, 28) and (…, 14, 14)."""
        x = F.relu(self.trunk.stem_norm(self.trunk.stem(self.trunk.unshuffle(faces))))
        first = self.trunk.stages[0](x)
        return [first, self.trunk.stages[1](first)]


class PeopleTraining:
    """One training, with everything in a checkpoint."""

    def __init__(self, recipe: PeopleRecipe, faces: Faces, codes: Codes, judges: Sequence[Judge]) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.faces, self.codes, self.judges = recipe, faces, codes, judges
        self.decoder = FaceDecoder(recipe.identity, recipe.capture, recipe.widths)
        begin_linear(self.decoder, codes)
        self.critic = PatchCritic()
        use_channels_last(self.decoder)
        use_channels_last(self.critic)
        self.optimiser = torch.optim.Adam(build_parameter_groups(self.decoder), 1e-3, betas=(0.8, 0.99))
        self.critics = torch.optim.Adam(self.critic.parameters(), 1e-3, betas=(0.5, 0.99))
        self.average = {name: value.clone() for name, value in self.decoder.state_dict().items()}
        self.deviation = codes.capture_deviation()
        self.weights = build_oval_weights()
        self.step = 0

    def run_step(self) -> dict[str, float]:
        """Train on one batch: redrawn photographs, and people without photographs."""
        recipe, random = self.recipe, default_rng((self.recipe.seed, self.step))
        share = self.step / recipe.steps
        self.set_rates(share)
        photos, templates = self.faces.batch(random, recipe.batch)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
            drawn, wanted = self.draw(photos, templates, random)
            terms = {"pixels": self.pixel_loss(drawn[: len(photos)], photos)}
            if share >= recipe.recognised_from:
                terms |= self.recognition_loss(drawn, wanted, photos, random)
            if share >= recipe.sharp_from:
                terms["critic"] = -self.critic(drawn).float().mean()
        ramp = min(1.0, (share - recipe.sharp_from) / 0.05)
        weights = {**asdict(recipe.weights), "critic": recipe.weights.critic * ramp}
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.decoder.parameters(), 1.0)
        self.optimiser.step()
        if share >= recipe.sharp_from:
            terms["told_apart"] = self.teach_critic(photos, drawn.detach())
        self.step += 1
        self.update_average()
        return {name: float(term.detach()) for name, term in terms.items()}

    def draw(self, photos: Tensor, templates: Tensor, random: Generator) -> tuple[Tensor, Tensor]:
        """Pictures of photographed people with their capture codes, and of others with random ones.

        Returns:
            (n, 3, 112, 112) pictures, and (n, dim) templates of the people they should show.
        """
        identity = self.codes.identity_of(templates)
        small = F.avg_pool2d(photos, 4).flatten(1)
        capture = self.codes.capture_of(small, identity)
        capture = capture + self.deviation * draw_normal(random, capture.shape)
        if self.step / self.recipe.steps < self.recipe.recognised_from:
            return self.decoder(identity, capture), templates
        others = self.recipe.others
        # Half of the others are photographed people with somebody else's capture, half are made up.
        known = identity[torch.from_numpy(random.permutation(len(identity))[: others // 2])]
        nobody = draw_normal(random, (others - len(known), identity.shape[1]))
        more = torch.cat([known, nobody])
        seen = draw_normal(random, (others, capture.shape[1])) * self.recipe.capture_spread
        pictures = self.decoder(torch.cat([identity, more]), torch.cat([capture, seen]))
        return pictures, torch.cat([templates, self.codes.template_of(more)])

    def pixel_loss(self, drawn: Tensor, photos: Tensor) -> Tensor:
        """Differences at three sizes; the oval of the face counts most."""
        total, weight = torch.zeros(()), self.weights
        for _ in range(3):
            total = total + ((drawn - photos).abs() * weight).mean()
            drawn, photos, weight = (F.avg_pool2d(each, 2) for each in (drawn, photos, weight))
        return total

    def recognition_loss(
        self, drawn: Tensor, wanted: Tensor, photos: Tensor, random: Generator
    ) -> dict[str, Tensor]:
        """How far the judge's template is from the wanted one, and its early view from the photograph's."""
        judge = self.judges[self.step % len(self.judges)]
        wanted = judge.translate(wanted)
        # Both get the same changes, so that a picture and its photograph stay comparable.
        both = shake(torch.cat([drawn.clamp(-1, 1), photos]), random)
        found, seen = judge(both[: len(drawn)])
        with torch.no_grad():
            real = judge.views(both[len(drawn) :])
        return {
            "identity": (1 - (found * wanted).sum(1)).mean(),
            "apart": F.relu(found @ found.T - wanted @ wanted.T).square().mean().sqrt(),
            "view": torch.stack(
                [relative_difference(a[: len(photos)], b) for a, b in zip(seen, real, strict=True)]
            ).mean(),
        }

    def teach_critic(self, photos: Tensor, drawn: Tensor) -> Tensor:
        """The hinge loss (Lim and Ye 2017)."""
        self.critics.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.bf16):
            verdicts = self.critic(torch.cat([photos, drawn[: len(photos)]])).float()
        real, made = verdicts.chunk(2)
        loss = F.relu(1 - real).mean() + F.relu(1 + made).mean()
        torch.autograd.backward(loss)
        self.critics.step()
        return loss.detach()

    def set_rates(self, share: float) -> None:
        """Warm up over a hundredth of the training, then follow a cosine down to a fiftieth."""
        top = self.recipe.learning_rate
        rate = top * min(1.0, (self.step + 1) / self.recipe.warm_up_steps)
        rate *= 0.02 + 0.98 * (1 + math.cos(math.pi * share)) / 2
        for group in self.optimiser.param_groups:
            group["lr"] = rate * group["share"]
        for group in self.critics.param_groups:
            group["lr"] = min(rate, 5e-4)

    @torch.no_grad()
    def update_average(self) -> None:
        """Update the average of the decoder's weights, which is what ships."""
        keep = min(0.995, self.step / (self.step + 10))
        for name, value in self.decoder.state_dict().items():
            self.average[name].lerp_(value, 1 - keep)

    def checkpoint(self) -> dict[str, Any]:
        """Everything needed to resume."""
        return {
            "format": 1,
            "step": self.step,
            "recipe": asdict(self.recipe),
            "codes": {k: torch.as_tensor(v) for k, v in asdict(self.codes).items()},
            "data_digest": self.faces.digest,
            "ema": self.average,
            "decoder": self.decoder.state_dict(),
            "critic": self.critic.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "critics": self.critics.state_dict(),
        }

    def restore(self, checkpoint: Mapping[str, Any]) -> None:
        """Resume from a checkpoint."""
        self.step = checkpoint["step"]
        self.average = {name: value.clone() for name, value in checkpoint["ema"].items()}
        for part in ("decoder", "critic", "optimiser", "critics"):
            getattr(self, part).load_state_dict(checkpoint[part])


def train_people(
    recipe: PeopleRecipe, faces: Faces, codes: Codes, judges: Sequence[Judge], run: RunFolder
) -> None:
    """Train for the recipe's steps; resumes an interrupted run."""
    torch.set_num_threads(recipe.threads)
    practice = PeopleTraining(recipe, faces, codes, judges)
    if run.last.is_file():
        practice.restore(load_checkpoint(run.last))
    saved = logged = time.monotonic()
    sums: dict[str, list[float]] = {}
    while practice.step < recipe.steps:
        for name, value in practice.run_step().items():
            sums.setdefault(name, []).append(value)
        if practice.step % recipe.log_steps == 0:
            now = time.monotonic()
            means = {name: round(float(np.mean(values)), 4) for name, values in sums.items()}
            rate = practice.optimiser.param_groups[-1]["lr"]
            run.log(step=practice.step, **means, learning_rate=rate, seconds=round(now - logged, 1))
            sums, logged = {}, now
        if practice.step == round(recipe.recognised_from * recipe.steps):
            save_checkpoint(run.path / "redrawing.pt", practice.checkpoint())
        if time.monotonic() - saved > 60 * recipe.checkpoint_minutes:
            save_checkpoint(run.last, practice.checkpoint())
            saved = time.monotonic()
    save_checkpoint(run.last, practice.checkpoint())


def build_parameter_groups(decoder: FaceDecoder) -> list[dict[str, Any]]:
    """Parameter groups: layers that take codes learn slower, as one step moves all their weights alike."""
    base = list(decoder.base.parameters())
    entries = [
        part for name, part in decoder.named_parameters() if "film" in name or name.startswith("first")
    ]
    known = {id(part) for part in (*base, *entries)}
    rest = [part for part in decoder.parameters() if id(part) not in known]
    return [
        {"params": base, "share": 0.02},
        {"params": entries, "share": 0.2},
        {"params": rest, "share": 1.0},
    ]


def begin_linear(decoder: FaceDecoder, codes: Codes) -> None:
    """Initialise the decoder with the closed form."""
    with torch.no_grad():
        joined = np.concatenate([codes.of_identity, codes.of_capture], axis=1)
        decoder.base.weight.copy_(torch.from_numpy(joined))
        decoder.base.bias.copy_(torch.from_numpy(codes.picture))


def use_channels_last(network: nn.Module) -> None:
    """Lay the weights out as the processor's convolutions need them."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def draw_normal(random: Generator, shape: Any) -> Tensor:
    """Standard normal numbers."""
    return torch.from_numpy(random.standard_normal(tuple(shape), np.float32))


def build_oval_weights() -> Tensor:
    """(1, 1, 112, 112) weights of the pixels: 1 over the face, less in the corners, 1 on average."""
    y, x = torch.meshgrid(torch.arange(112.0), torch.arange(112.0), indexing="ij")
    far = ((x - 56) / 50) ** 2 + ((y - 62) / 60) ** 2
    weight = 0.25 + 0.75 * torch.sigmoid(6 * (1.1 - far))
    return (weight / weight.mean())[None, None]


def relative_difference(seen: Tensor, real: Tensor) -> Tensor:
    """The difference of two views as a share of their size."""
    return (seen - real).float().abs().mean() / real.float().abs().mean()


def shake(faces: Tensor, random: Generator) -> Tensor:
    """Shift, rotate, relight and partly cover faces: what satisfies a judge must survive a camera."""
    turn, size = random.uniform(-0.14, 0.14), random.uniform(0.92, 1.12)
    side = -1 if random.random() < 0.5 else 1
    cosine, sine = math.cos(turn) / size, math.sin(turn) / size
    dx, dy = random.uniform(-0.05, 0.05, 2)
    place = torch.tensor([[[side * cosine, -sine, dx], [side * sine, cosine, dy]]], dtype=torch.float32)
    grid = F.affine_grid(place.expand(len(faces), 2, 3), list(faces.shape), align_corners=False)
    moved = F.grid_sample(faces, grid, padding_mode="reflection", align_corners=False)
    if random.random() < 0.3:
        moved = F.interpolate(F.avg_pool2d(moved, 2), scale_factor=2.0, mode="bilinear")
    if random.random() < 0.2:
        moved = moved.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    gain, lift = random.uniform(0.8, 1.2), random.uniform(-0.1, 0.1)
    moved = moved * gain + lift + draw_normal(random, moved.shape) * random.uniform(0, 0.06)
    if random.random() < 0.3:
        x, y = random.integers(0, 84, 2)
        covered = torch.ones(1, 1, 112, 112)
        covered[:, :, y : y + 28, x : x + 28] = 0
        moved = moved * covered
    return moved.clamp(-1, 1).contiguous(memory_format=torch.channels_last)
