"""Who sent a request, as far as the service needs to know."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from service.access.scopes import Scope
from service.errors import Forbidden


@dataclass(frozen=True)
class Caller:
    """The holder of a key that was valid when the request came.

    Attributes:
        key_id: Names the caller in logs and idempotency records.
        name: The key's name; the actor of audit events.
        session_id: The one exam session that a kiosk's key is bound to.
        seal: 32 bytes that only the caller's secret yields; seals the answers kept for replay.
    """

    key_id: UUID
    name: str
    scopes: frozenset[Scope]
    session_id: UUID | None
    seal: bytes

    @property
    def actor(self) -> str:
        """The caller in audit events."""
        return f"{self.name} ({self.key_id})"

    def may(self, scope: Scope) -> bool:
        """Whether the key holds the scope, or all of them."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def require(self, scopes: Iterable[Scope]) -> None:
        """Refuse a key without any of these scopes.

        Raises:
            Forbidden: Naming what is missing.
        """
        wanted = tuple(scopes)
        if not any(self.may(scope) for scope in wanted):
            names = " or ".join(f"`{scope}`" for scope in wanted)
            raise Forbidden(f"The key lacks the scope {names}.", wanted)

    def require_session(self, session_id: UUID) -> None:
        """Refuse a kiosk's key outside the session it is bound to.

        Raises:
            Forbidden: If the key belongs to another session.
        """
        if self.session_id not in (None, session_id):
            raise Forbidden("The key is bound to another session.")
