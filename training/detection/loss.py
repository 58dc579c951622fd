"""The detector's loss: class, objectness, box and landmarks of the cells."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from training.detection.assign import IGNORED

BARELY_HEARD = 0.1  # the least weight of a cell's box


@dataclass(frozen=True)
class Losses:
    """The four parts, each a mean over the cells that answer for faces."""

    cls: Tensor
    obj: Tensor
    box: Tensor
    landmarks: Tensor


def flatten_grids(grids: list[Tensor]) -> Tensor:
    """Three (n, 16, h, w) → (n, cells, 16), strides 8, 16, 32 in this order, rows first."""
    return torch.cat([grid.permute(0, 2, 3, 1).flatten(1, 2) for grid in grids], dim=1)


def detection_losses(cells: Tensor, points: Tensor, owners: Tensor, scores: Tensor, faces: Tensor) -> Losses:
    """Losses of one batch.

    Args:
        cells: (n, cells, 16) raw outputs: class and objectness logits, box, landmarks.
        points: (cells, 3) x, y, stride of each cell.
        owners: (n, cells) the row of `faces` a cell answers for, NEGATIVE or IGNORED.
        scores: (n, cells) the teacher's score; NaN where the labels alone decide.
        faces: (f, 14) every face of the batch, in pixels of its view.
    """
    taught = ~scores.isnan()
    learned = taught | (owners != IGNORED)
    picture, cell = torch.nonzero(owners >= 0, as_tuple=True)
    truth, place, raw = faces[owners[picture, cell].long()], points[cell], cells[picture, cell]
    boxes, marks = decode_boxes(raw[:, 2:6], place), decode_landmarks(raw[:, 6:], place)
    overlap, box_loss = box_losses(boxes, truth[:, :4])
    # The cell that scores most answers for its face: its box and landmarks matter most.
    weight = scores[picture, cell].clamp(min=BARELY_HEARD).nan_to_num(1.0)
    count = weight.sum().clamp(min=1)
    quality = torch.zeros_like(cells[..., 0])
    quality[picture, cell] = overlap.detach()
    present = (owners >= 0).to(cells.dtype)
    return Losses(
        cls=focal(cells[..., 0], torch.where(taught, scores, quality))[learned].sum() / count,
        obj=focal(cells[..., 1], torch.where(taught, scores, present))[learned].sum() / count,
        box=(weight * box_loss).sum() / count,
        landmarks=(weight * landmark_losses(marks, truth)).sum() / count,
    )


def decode_boxes(raw: Tensor, points: Tensor) -> Tensor:
    """(k, 4) raw → x, y, w, h in pixels: centre = point + raw · stride, size = exp(raw) · stride (YuNet)."""
    strides = points[:, 2:]
    sizes = raw[:, 2:].clamp(max=8).exp() * strides
    return torch.cat([points[:, :2] + raw[:, :2] * strides - sizes / 2, sizes], dim=1)


def decode_landmarks(raw: Tensor, points: Tensor) -> Tensor:
    """(k, 10) raw → (k, 5, 2) pixels: point + raw · stride."""
    return points[:, None, :2] + raw.view(-1, 5, 2) * points[:, None, 2:]


def focal(logits: Tensor, targets: Tensor) -> Tensor:
    """Quality focal loss |y − σ|² · BCE of each element (Li et al., "Generalized Focal Loss", eq. 6)."""
    distance = (targets - logits.sigmoid()).abs()
    return distance**2 * F.binary_cross_entropy_with_logits(logits, targets, reduction="none")


def box_losses(boxes: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """(k,) IoU and (k,) EIoU loss of (k, 4) boxes (Zhang et al., "Focal and Efficient IOU Loss", eq. 6)."""
    low = torch.maximum(boxes[:, :2], truth[:, :2])
    high = torch.minimum(boxes[:, :2] + boxes[:, 2:], truth[:, :2] + truth[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=1)
    overlap = shared / (boxes[:, 2:].prod(dim=1) + truth[:, 2:].prod(dim=1) - shared)
    hull = torch.maximum(boxes[:, :2] + boxes[:, 2:], truth[:, :2] + truth[:, 2:]) - torch.minimum(
        boxes[:, :2], truth[:, :2]
    )
    centres = boxes[:, :2] + boxes[:, 2:] / 2 - truth[:, :2] - truth[:, 2:] / 2
    apart = (centres**2).sum(dim=1) / (hull**2).sum(dim=1)
    sizes = ((boxes[:, 2:] - truth[:, 2:]) ** 2 / hull**2).sum(dim=1)
    return overlap, 1 - overlap + apart + sizes


def landmark_losses(landmarks: Tensor, truth: Tensor) -> Tensor:
    """(k,) smooth L1 of the landmark error over √(w·h): pixels weigh the same in every size."""
    sizes = truth[:, 2:4].prod(dim=1).sqrt()[:, None, None]
    error = (landmarks - truth[:, 4:].view(-1, 5, 2)) / sizes
    return F.smooth_l1_loss(error, torch.zeros_like(error), beta=0.02, reduction="none").mean(dim=(1, 2)) * 2
