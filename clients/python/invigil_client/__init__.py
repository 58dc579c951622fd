"""A typed client of Invigil: `Client` waits for its answers, `AsyncClient` is for asyncio.

    from invigil_client import Client, models

    with Client("https://invigil.example.edu", key) as invigil:
        ana = invigil.add_subject(models.SubjectFields(external_id="s-1001", display_name="Ana"))
        invigil.enrol_template(ana.id, Path("ana.jpg"))
        decision = invigil.verify_subject("ext:s-1001", Path("door.jpg"))

Every request that makes something carries an idempotency key, so that it is sent again without harm while the
service cannot serve it; what it refuses is an `InvigilError` with a stable `code`.
"""

from invigil_client import models
from invigil_client.calls import Picture
from invigil_client.errors import InvigilError
from invigil_client.operations import AsyncOperations, Operations

__all__ = ["AsyncClient", "Client", "InvigilError", "Picture", "models"]


class Client(Operations):
    """Every operation of the service, for a program that waits."""


class AsyncClient(AsyncOperations):
    """Every operation of the service, for asyncio."""
