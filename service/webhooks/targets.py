"""Which hosts and networks webhooks may call (`INVIGIL_WEBHOOK_TARGETS`); all else is refused unconnected."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self
from urllib.parse import urlsplit

from service.errors import TargetRefused

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
NAT64 = ip_network("64:ff9b::/96")


@dataclass(frozen=True)
class Targets:
    """What may be called.

    Attributes:
        hosts: Names, in small letters: they may be called where they lead to public addresses.
        networks: Whoever has an address in one of them may be called, private ones too.
    """

    hosts: frozenset[str]
    networks: tuple[Network, ...]

    @classmethod
    def parse(cls, listed: Sequence[str]) -> Self:
        """Of a list of names, addresses and networks.

        Raises:
            ValueError: If a part is none of them.
        """
        hosts, networks = set(), []
        for part in listed:
            try:
                networks.append(ip_network(part))
            except ValueError:
                if not part.replace("-", "").replace(".", "").isalnum() or part[-1].isdigit():
                    raise ValueError(f"{part!r} is no host and no network") from None
                hosts.add(part.lower().rstrip("."))
        return cls(frozenset(hosts), tuple(networks))

    async def resolve(self, url: str) -> Address:
        """The address to connect to: looked up once, and every one that was found is allowed.

        Raises:
            TargetRefused: If the host, or an address that it leads to, may not be called.
            OSError: If the name leads nowhere.
        """
        parts = urlsplit(url)
        host, port = self.check(url), parts.port or (443 if parts.scheme == "https" else 80)
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ip_address(str(one[4][0]).partition("%")[0]) for one in found]
        for address in addresses:
            in_network = self._has(address)
            is_named = host in self.hosts and parts.scheme == "https" and is_public(address)
            if not in_network and not is_named:
                raise TargetRefused(host)
        return addresses[0]

    def check(self, url: str) -> str:
        """The host of an address, as far as can be told without looking it up.

        Raises:
            TargetRefused: If it cannot be called, whatever it leads to.
        """
        try:
            parts = urlsplit(url)
            host, _ = (parts.hostname or "").rstrip("."), parts.port
        except ValueError as error:
            raise TargetRefused(url) from error
        if parts.scheme not in ("http", "https") or not host or parts.username or parts.password:
            raise TargetRefused(host)
        try:
            address = ip_address(host)
        except ValueError:
            if not self.networks and (host not in self.hosts or parts.scheme != "https"):
                raise TargetRefused(host) from None
            return host
        if not self._has(address):
            raise TargetRefused(host)
        return host

    def _has(self, address: Address) -> bool:
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return any((mapped or address) in network for network in self.networks)


def is_public(address: Address) -> bool:
    """Whether an address is on the internet, and does not wrap another one that may not be."""
    if isinstance(address, IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or address.teredo or address in NAT64
    ):
        return False
    return address.is_global and not address.is_multicast
