"""Losses and miners of pytorch-metric-learning, with corrected defaults.

The library normalises embeddings in every distance; the network gives unit vectors, so normalisation is off
wherever the library allows it. Its default mean leaves out values that are 0; here `active_only` makes that a
choice. A miner may choose the pairs or triplets of the batch, and negatives may also come from earlier
batches (cross-batch memory; Wang et al., CVPR 2020).
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec
from warnings import catch_warnings, simplefilter

import torch
from pytorch_metric_learning import distances, losses, miners, reducers, regularizers
from torch import Tensor, nn

P = ParamSpec("P")


class FromLibrary(nn.Module):
    """A loss of pytorch-metric-learning, computed in the precision of its own parameters.

    The library casts its parameters, in place, to the type of the embeddings; under bf16 autocast the proxies
    would become bf16 and small updates would be lost.

    Args:
        loss: The library's.
        miner: Chooses pairs or triplets of each batch; by default all count.
    """

    def __init__(self, loss: nn.Module, miner: nn.Module | None = None) -> None:
        super().__init__()
        self.loss = loss
        self.miner = miner

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """(n, dim) and (n,) → scalar."""
        parameter = next(self.parameters(), embeddings)
        precise = embeddings.to(torch.promote_types(parameter.dtype, torch.float32))
        with torch.autocast(embeddings.device.type, enabled=False):
            if self.miner is None:
                value: Tensor = self.loss(precise, labels)
            else:
                value = self.loss(precise, labels, self.miner(precise, labels))
        return value.squeeze()


def whole_batch(pairs: Callable[P, nn.Module]) -> Callable[P, FromLibrary]:
    """A builder of the library's loss over every pair or triplet of the batch, with the same options."""

    @wraps(pairs)
    def build(*args: P.args, **options: P.kwargs) -> FromLibrary:
        return FromLibrary(pairs(*args, **options))

    return build


def build_squared_distance() -> nn.Module:
    """d of the embeddings as they come."""
    distance: nn.Module = distances.LpDistance(normalize_embeddings=False, power=2)
    return distance


def build_root_distance() -> nn.Module:
    """√d of the embeddings as they come."""
    distance: nn.Module = distances.LpDistance(normalize_embeddings=False)
    return distance


def build_mean(active_only: bool) -> nn.Module:
    """The mean over what is above 0, or over all."""
    reducer: nn.Module = reducers.AvgNonZeroReducer() if active_only else reducers.MeanReducer()
    return reducer


class HadsellContrastiveLoss(losses.ContrastiveLoss):  # type: ignore[misc]
    """Positive pair: d; negative pair: max(0, m - √d)²; as `pairwise.Contrastive`, over chosen pairs."""

    def pos_calc(self, pos_pair_dist: Tensor, margin: float) -> Tensor:
        """(k,) lengths → (k,) losses."""
        return pos_pair_dist.square()

    def neg_calc(self, neg_pair_dist: Tensor, margin: float) -> Tensor:
        """(k,) lengths → (k,) losses."""
        return torch.relu(margin - neg_pair_dist).square()


def contrastive(margin: float = 1.0, active_only: bool = True) -> nn.Module:
    """`pairwise.Contrastive` over chosen pairs."""
    return HadsellContrastiveLoss(
        neg_margin=margin, distance=build_root_distance(), reducer=build_mean(active_only)
    )


def contrastive_lecture(margin: float = 1.0) -> nn.Module:
    """`pairwise.LectureContrastive` over chosen pairs."""
    loss: nn.Module = losses.ContrastiveLoss(
        pos_margin=0, neg_margin=margin**2, distance=build_squared_distance(), reducer=build_mean(False)
    )
    return loss


def triplet(margin: float = 0.2, active_only: bool = False) -> nn.Module:
    """`pairwise.Triplet` over chosen triplets."""
    loss: nn.Module = losses.TripletMarginLoss(
        margin, distance=build_squared_distance(), reducer=build_mean(active_only)
    )
    return loss


def multi_similarity(alpha: float = 2.0, beta: float = 50.0, base: float = 0.5) -> nn.Module:
    """Multi-similarity (Wang et al., CVPR 2019, eq. 11)."""
    loss: nn.Module = losses.MultiSimilarityLoss(alpha, beta, base)
    return loss


class ScaledDotProduct(distances.DotProductSimilarity):  # type: ignore[misc]
    """The dot product of embeddings as they come, times `scale`."""

    def __init__(self, scale: float) -> None:
        super().__init__(normalize_embeddings=False)
        self.scale = scale

    def compute_mat(self, query_emb: Tensor, ref_emb: Tensor) -> Tensor:
        """(n, dim) and (m, dim) → (n, m)."""
        mat: Tensor = super().compute_mat(query_emb, ref_emb)
        return self.scale * mat


def n_pairs(scale: float = 16.0) -> nn.Module:
    """N-pairs (Sohn, NIPS 2016, eq. 7): of each identity one anchor and one positive, the first of the batch.

    Args:
        scale: Of the dot product. The paper lets embeddings grow; the network gives unit vectors, on which
            the loss can hardly fall, so they are lengthened to √scale.
    """
    loss: nn.Module = losses.NPairsLoss(distance=ScaledDotProduct(scale))
    return loss


def lifted_structure(margin: float = 1.0) -> nn.Module:
    """Lifted structure (Oh Song et al., CVPR 2016, eq. 4), in √d."""
    loss: nn.Module = losses.LiftedStructureLoss(
        neg_margin=margin, pos_margin=0, distance=build_root_distance()
    )
    return loss


def angular(alpha_degrees: float = 40.0) -> nn.Module:
    """Angular (Wang et al., ICCV 2017, eq. 6) of unit vectors: the angle at the negative is at most that."""
    loss: nn.Module = losses.AngularLoss(alpha_degrees)
    return loss


def margin(
    classes: int, margin: float = 0.2, beta: float = 1.2, learn_beta: bool = False, nu: float = 0.0
) -> nn.Module:
    """Margin (Wu et al., ICCV 2017, eq. 5), in √d; made for the miner `distance_weighted`.

    Args:
        classes: Identities.
        margin: α in the paper.
        beta: The border between positive and negative pairs.
        learn_beta: Let each identity learn its own border.
        nu: Weight of the borders themselves in the loss, where they are learnt.
    """
    learnt = {"learn_beta": True, "num_classes": classes, "nu": nu} if learn_beta else {}
    loss: nn.Module = losses.MarginLoss(margin=margin, beta=beta, distance=build_root_distance(), **learnt)
    if not learn_beta:
        # The library keeps it in float32, where 1.2 is 1.2000000477.
        loss.beta = torch.tensor([beta], dtype=torch.float64)
    return loss


def ranked_list(
    margin: float = 0.4, negative_border: float = 1.2, temperature: float = 10.0, imbalance: float = 0.5
) -> nn.Module:
    """Ranked list (Wang et al., CVPR 2019, eq. 7), with √d of unit vectors.

    Args:
        margin: m in the paper: positives lie within `negative_border` - margin.
        negative_border: α in the paper: negatives lie beyond it.
        temperature: T_n in the paper, which weighs near negatives more.
        imbalance: λ in the paper, the weight of negatives against that of positives.
    """
    with catch_warnings():
        # The library warns of more than 5, for e^(T_n √d) might overflow; of unit vectors √d <= 2.
        simplefilter("ignore")
        loss: nn.Module = losses.RankedListLoss(
            margin, temperature, imbalance=imbalance, alpha=negative_border
        )
    return loss


def fast_ap(bins: int = 10) -> nn.Module:
    """FastAP (Cakir et al., CVPR 2019, eq. 9): average precision on a soft histogram of d over 0…4."""
    loss: nn.Module = losses.FastAPLoss(num_bins=bins)
    return loss


def snr(
    positive_margin: float = 0.0,
    negative_margin: float = 1.0,
    zero_mean: float = 0.0,
    active_only: bool = True,
) -> nn.Module:
    """Signal-to-noise contrastive (Yuan et al., CVPR 2019, eq. 8): var(a - b) / var(a) instead of a distance.

    Args:
        positive_margin: Up to which a positive pair costs nothing.
        negative_margin: From which a negative pair costs nothing.
        zero_mean: λ in the paper, the weight of |Σ of an embedding|.
        active_only: Take the mean over pairs above 0 instead of over all.
    """
    loss: nn.Module = losses.SignalToNoiseRatioContrastiveLoss(
        pos_margin=positive_margin,
        neg_margin=negative_margin,
        reducer=build_mean(active_only),
        embedding_regularizer=regularizers.ZeroMeanRegularizer() if zero_mean else None,
        embedding_reg_weight=zero_mean,
    )
    return loss


def batch_hard() -> nn.Module:
    """Of each anchor the farthest positive and the nearest negative (Hermans et al., 2017, eq. 5)."""
    miner: nn.Module = miners.BatchHardMiner()
    return miner


def semi_hard(margin: float = 0.2) -> nn.Module:
    """Triplets with d(A, P) < d(A, N) <= d(A, P) + margin (Schroff et al., CVPR 2015)."""
    miner: nn.Module = miners.TripletMarginMiner(
        margin, type_of_triplets="semihard", distance=build_squared_distance()
    )
    return miner


def distance_weighted(nearest: float = 0.5, farthest: float = 1.4) -> nn.Module:
    """Negatives drawn so that every length √d is as likely (Wu et al., ICCV 2017, section 4).

    Args:
        nearest: Nearer negatives are drawn as if they were this far, or a few would always be drawn.
        farthest: Farther ones are not drawn.
    """
    miner: nn.Module = miners.DistanceWeightedMiner(cutoff=nearest, nonzero_loss_cutoff=farthest)
    return miner


def multi_similarity_miner(epsilon: float = 0.1) -> nn.Module:
    """Negatives nearer than the farthest positive and the other way round, by cosine (Wang 2019, eq. 7-8)."""
    miner: nn.Module = miners.MultiSimilarityMiner(epsilon)
    return miner


MINERS: Mapping[str, Callable[..., nn.Module]] = {
    "batch_hard": batch_hard,
    "semi_hard": semi_hard,
    "distance_weighted": distance_weighted,
    "multi_similarity": multi_similarity_miner,
}


class Memory(losses.CrossBatchMemory):  # type: ignore[misc]
    """The embeddings of earlier batches, to pair the current one with; part of the checkpoint."""

    @staticmethod
    def supported_losses() -> list[str]:
        """Names of classes of losses that can pair a batch with others."""
        return [*losses.CrossBatchMemory.supported_losses(), HadsellContrastiveLoss.__name__]

    def get_extra_state(self) -> dict[str, Any]:
        """The state that the library does not save: where the next batch goes."""
        return {"queue_idx": self.queue_idx, "has_been_filled": self.has_been_filled}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.queue_idx, self.has_been_filled = state["queue_idx"], state["has_been_filled"]
