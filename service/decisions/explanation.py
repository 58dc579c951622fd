"""What a map of a face says, in words and numbers."""

import numpy as np
from pydantic import BaseModel, Field

from embedding.explaining import Map

STRONGEST = 3


class Explanation(BaseModel):
    """Which places of two faces made them near or far."""

    d: float
    method: str = "occlusion"
    a: list[list[float]] = Field(
        description="of the first face, 7 rows of 7 cells from the top left: what d gains where the cell is "
        "covered; above 0 it made them near, below 0 far"
    )
    b: list[list[float]] = Field(description="of the second face")
    picture: str


def describe_places(cells: Map) -> str:
    """The cells that counted most, as row.column from the top left."""
    flat = cells.ravel()
    order = np.argsort(flat)
    near = [name_cell(place) for place in order[::-1][:STRONGEST] if flat[place] > 0]
    far = [name_cell(place) for place in order[:STRONGEST] if flat[place] < 0]
    return f"near by {', '.join(near) or 'nothing'}; far by {', '.join(far) or 'nothing'} (row.column of 7)"


def name_cell(place: int) -> str:
    """A cell's row and column, from 1."""
    return f"{place // 7 + 1}.{place % 7 + 1}"
