"""A small vision transformer (Dosovitskiy et al., ICLR 2021), with pre-normalisation and no class token."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PATCH = 14
TOKENS = (112 // PATCH) ** 2
HEAD_WIDTH = 32


class VisionTransformer(nn.Module):
    """Patches of 14 x 14 pixels, encoder blocks, and an embedding read from all places.

    Args:
        width: Of a token; a multiple of 32.
        depth: Encoder blocks.
        dim: Length of the embedding.
    """

    def __init__(self, width: int = 192, depth: int = 6, dim: int = 128) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, width, PATCH, PATCH)
        self.places = nn.Parameter(torch.zeros(TOKENS, width))
        nn.init.trunc_normal_(self.places, std=0.02)
        self.blocks = nn.Sequential(*(EncoderBlock(width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width * TOKENS, dim, bias=False)
        self.project_norm = nn.BatchNorm1d(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 3, 112, 112) to (n, dim), not yet of unit length."""
        x = self.patches(x).flatten(2).transpose(1, 2)  # (n, 64, width)
        x = self.norm(self.blocks(x + self.places))  # (n, 64, width)
        embedding: Tensor = self.project_norm(self.project(x.flatten(1)))  # (n, dim)
        return embedding


class EncoderBlock(nn.Module):
    """Self-attention and a two-layer perceptron, each on the normalised tokens and added to them."""

    def __init__(self, width: int, growth: int = 4) -> None:
        super().__init__()
        self.heads = width // HEAD_WIDTH
        self.norm1 = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, growth * width), nn.GELU(), nn.Linear(growth * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, tokens, width) to the same shape."""
        x = x + self.attend(self.norm1(x))
        grown: Tensor = self.mlp(self.norm2(x))
        return x + grown

    def attend(self, x: Tensor) -> Tensor:
        """softmax(Q K^T / sqrt(32)) V for each head; (n, tokens, width) to the same shape."""
        n, tokens, width = x.shape
        split = self.queries_keys_values(x).view(n, tokens, 3, self.heads, HEAD_WIDTH)
        q, k, v = split.permute(2, 0, 3, 1, 4)  # each (n, heads, tokens, 32)
        seen = F.scaled_dot_product_attention(q, k, v)
        joined: Tensor = self.joined(seen.transpose(1, 2).reshape(n, tokens, width))
        return joined
