"""Who sent a request, as far as the service needs to know."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from service.access.scopes import Scope
from service.errors import Forbidden


@dataclass(frozen=True)
class Caller:
    """The holder of a key that was valid when the request came, or an operator who was signed in.

    Attributes:
        id: The key's or the operator's.
        name: The key's or the operator's; the actor of audit events.
        session_id: The one exam session that a kiosk's key is bound to.
        seal: 32 bytes that only the caller's secret yields; seals the answers kept for replay.
        is_operator: A person, and no key.
        exam_ids: The only exams that an operator sees; None for all.
        sign_in_id: Of an operator's sign-in: answers are replayed within it.
    """

    id: UUID
    name: str
    scopes: frozenset[Scope]
    session_id: UUID | None
    seal: bytes
    is_operator: bool = False
    exam_ids: frozenset[UUID] | None = None
    sign_in_id: UUID | None = None

    @property
    def actor(self) -> str:
        """The caller in audit events."""
        return f"{self.name} ({'operator ' if self.is_operator else ''}{self.id})"

    @property
    def operator(self) -> str | None:
        """The person who decides, where the caller is one."""
        return self.name if self.is_operator else None

    @property
    def replay_id(self) -> UUID:
        """Whose answers may be replayed: those that the caller's seal opens."""
        return self.sign_in_id or self.id

    def may(self, scope: Scope) -> bool:
        """Whether the caller holds the scope, or all of them."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def require(self, scopes: Iterable[Scope]) -> None:
        """Refuse a caller without any of these scopes.

        Raises:
            Forbidden: Naming what is missing.
        """
        wanted = tuple(scopes)
        if not any(self.may(scope) for scope in wanted):
            names = " or ".join(f"`{scope}`" for scope in wanted)
            who = "Your role" if self.is_operator else "The key"
            raise Forbidden(f"{who} lacks the scope {names}.", wanted)

    def require_session(self, session_id: UUID) -> None:
        """Refuse a kiosk's key outside the session it is bound to.

        Raises:
            Forbidden: If the key belongs to another session.
        """
        if self.session_id not in (None, session_id):
            raise Forbidden("The key is bound to another session.")
