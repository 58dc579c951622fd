"""/metrics, for Prometheus. Counts only: nothing in it tells of a person."""

from fastapi import APIRouter
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import Response

from service.api.inputs import PartsHere

router = APIRouter(tags=["health"])


@router.get("/metrics", responses={200: {"content": {"text/plain": {}}}}, response_class=Response)
def metrics(parts: PartsHere) -> Response:
    """What all processes of this port have counted, in Prometheus' text format."""
    return Response(parts.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)
