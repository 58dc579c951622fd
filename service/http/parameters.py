"""Query parameters that a route does not have: refused with the nearest name, as a body's unknown fields are.

A filter that is misspelt and passed over would answer with everything.
"""

from collections.abc import Iterator
from difflib import get_close_matches

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from service.errors import InvalidRequest

SHOWN_CHARACTERS = 100

Parameters = dict[tuple[str, str], frozenset[str]]
"""Path and method of a route → the query parameters that it takes."""


def parameters_of(route: APIRoute) -> Parameters:
    """What a route takes, and everything that it depends on."""
    names = frozenset(_names(route.dependant))
    return {(route.path, method): names for method in route.methods or ()}


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for needed in dependant.dependencies:
        yield from _names(needed)


def scopes_of(route: APIRoute) -> tuple[str, ...] | None:
    """The scopes of which a caller of the route needs one; None where it takes no caller."""
    return _scopes(route.dependant)


def _scopes(dependant: Dependant) -> tuple[str, ...] | None:
    own: tuple[str, ...] | None = getattr(dependant.call, "scopes", None)
    if own is not None:
        return own
    return next((found for one in dependant.dependencies if (found := _scopes(one)) is not None), None)


def refuse_unknown(request: Request) -> None:
    """Refuse a request with a query parameter that its route does not have.

    Raises:
        InvalidRequest: Naming the first, and the nearest that there is.
    """
    if not request.query_params:
        return
    route = request.scope["route"].path, request.method
    known: frozenset[str] = request.app.state.parameters.get(route, frozenset())
    for name in request.query_params:
        if name not in known:
            shown = name[:SHOWN_CHARACTERS]
            near = get_close_matches(shown, sorted(known), n=1, cutoff=0.5)
            there = near or sorted(known)
            hint = f" Did you mean {there[0]}?" if near else f" There are: {', '.join(there) or 'none'}."
            pointer = "/query/" + shown.replace("~", "~0").replace("/", "~1")
            raise InvalidRequest(pointer, "unknown_parameter", f"There is no parameter {shown!r}.{hint}")
