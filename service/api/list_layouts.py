"""/v1/list-layouts: how lists of people with other headings are laid out."""

from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel
from starlette.responses import Response

from service.api.cursors import page_of, read_cursor
from service.api.exams import Writer, origin_of
from service.api.inputs import Cursor, Limit, PartsHere
from service.exams.roster.layouts import (
    LayoutTerms,
    ListLayout,
    forget_layout,
    keep_layout,
    layouts_page,
)

router = APIRouter(prefix="/v1/list-layouts", tags=["sessions"])
Named = Annotated[
    str,
    Path(
        max_length=1_000,
        description="what the kind of list is called, percent-encoded",
        examples=["HISinOne"],
    ),
]


class ListLayoutList(BaseModel):
    """One page of list layouts, by name."""

    items: list[ListLayout]
    next_cursor: str | None


@router.get("", response_model=ListLayoutList)
def list_list_layouts(
    parts: PartsHere, caller: Writer, limit: Limit = 50, cursor: Cursor = None
) -> ListLayoutList:
    """The kinds of lists that somebody has explained."""
    found = layouts_page(parts.database, limit + 1, read_cursor(cursor) if cursor else "")
    items, following = page_of(found, limit, lambda layout: layout.name)
    return ListLayoutList(items=items, next_cursor=following)


@router.put("/{name}", response_model=ListLayout)
def keep_list_layout(
    request: Request, parts: PartsHere, caller: Writer, name: Named, terms: LayoutTerms
) -> ListLayout:
    """Say which heading of a kind of list is which column: from now on, lists with these are read so."""
    return keep_layout(parts.database, unquote(name), terms, origin_of(request, caller))


@router.delete("/{name}", status_code=204)
def forget_list_layout(request: Request, parts: PartsHere, caller: Writer, name: Named) -> Response:
    """Forget a kind of list; what was imported stays."""
    forget_layout(parts.database, unquote(name), origin_of(request, caller))
    return Response(status_code=204)
