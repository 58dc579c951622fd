"""What the settings say of an OpenID Connect issuer; it loads no library."""

from collections.abc import Mapping
from dataclasses import dataclass

from service.access.roles import Role


@dataclass(frozen=True)
class IssuerTerms:
    """Who signs people in, and what their claims mean here.

    Attributes:
        issuer: Its address, as the issuer itself says it.
        client_id: What the issuer knows this installation as.
        client_secret: None for a public client, which PKCE alone protects.
        role_claim: Where the roles stand in the ID token; dots lead into objects.
        roles: Claim value → role; of several the first in this order counts.
    """

    issuer: str
    client_id: str
    client_secret: str | None
    role_claim: str
    roles: Mapping[str, Role]


@dataclass(frozen=True)
class Identity:
    """Who somebody is to the issuer.

    Attributes:
        subject: The issuer's own id, which never becomes another person's.
        login: How the person signs in there.
        name: How the person is called.
        role: What the person is there to do here.
    """

    issuer: str
    subject: str
    login: str
    name: str
    role: Role
