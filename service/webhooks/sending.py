"""One try to deliver one message: signed after Standard Webhooks, to a checked address, never redirected."""

import asyncio
from datetime import UTC, datetime
from urllib.parse import urlsplit

import httpx2
from standardwebhooks import Webhook as Signer

from index.webhooks.outbox import DeliveryResult, Message
from service.errors import TargetRefused
from service.webhooks.targets import Address, Targets

TRY_SECONDS = 15.0
"""From the look-up of the name to the head of the answer; a third of the lease."""


def send(message: Message, targets: Targets, seconds: float = TRY_SECONDS) -> DeliveryResult:
    """Deliver a message once.

    Args:
        message: With the secret that signs it.
        targets: What may be called.
        seconds: How long the whole of it may take, however slowly the receiver answers.
    """
    try:
        status = asyncio.run(_send_within(message, targets, seconds))
    except TimeoutError:
        return DeliveryResult(None, "timed_out")
    except TargetRefused:
        return DeliveryResult(None, "not_allowed")
    except (OSError, httpx2.HTTPError, httpx2.InvalidURL, UnicodeError):
        return DeliveryResult(None, "unreachable")
    if status == 410:
        return DeliveryResult(status, "gone")
    if 300 <= status < 400:
        return DeliveryResult(status, "redirected")
    return DeliveryResult(status, None if 200 <= status < 300 else "refused")


def sign(message: Message, at: datetime) -> dict[str, str]:
    """The headers of the Standard Webhooks specification."""
    name = str(message.id)
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Signer(message.secret).sign(name, at, message.body),
    }


async def _send_within(message: Message, targets: Targets, seconds: float) -> int:
    return await asyncio.wait_for(_send(message, targets), seconds)


async def _send(message: Message, targets: Targets) -> int:
    """The status of the answer; its body is never read."""
    address = await targets.resolve(message.url)
    parts = urlsplit(message.url)
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "User-Agent": "Invigil",
        **sign(message, datetime.now(UTC)),
    }
    # No proxy of the environment: it would look the name up again. One try, one connection.
    async with httpx2.AsyncClient(trust_env=False, follow_redirects=False, timeout=None) as client:
        request = client.build_request(
            "POST",
            at_address(message.url, address),
            content=message.body.encode(),
            headers=headers,
            extensions={"sni_hostname": parts.hostname},
        )
        answer = await client.send(request, stream=True)
        await answer.aclose()
        return answer.status_code


def at_address(url: str, address: Address) -> str:
    """The URL with the address that was checked in place of the name."""
    parts = urlsplit(url)
    host = f"[{address}]" if address.version == 6 else str(address)
    return parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host, fragment="").geturl()
