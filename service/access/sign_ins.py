"""How often somebody may try to sign in: bounded by account and address, and by nothing that lasts.

Every attempt is written down before the password is looked at, so that many at once count as many. Failures
count for a quarter of an hour. One address may fail ten times with one account and a hundred times in all.
An account may fail fifty times from addresses that it has not signed in from lately: a crowd of guessing
machines is slowed down, and does not keep out its owner, who comes from a known one.
"""

import hashlib
import math
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.orm import Session

from index.database.database import Database
from index.ids import uuid7
from index.tables import SignInRow, utc_now
from service.errors import SignInsExhausted

WINDOW = timedelta(minutes=15)
KNOWN_FOR = timedelta(days=30)
MOST_OF_BOTH = 10
MOST_OF_ADDRESS = 100
MOST_OF_ACCOUNT = 50
IPV6_NETWORK_BITS = 64
"""Whoever has one address of IPv6 has a network of them."""


class SignIns:
    """The attempts of a quarter of an hour, in all processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, login_key: str, address: str | None) -> UUID:
        """Count an attempt as failed, until `succeed` or `forget` says otherwise.

        Raises:
            SignInsExhausted: If there were too many; it says when the next is allowed.
            DatabaseError: If it cannot be written.
        """
        row = SignInRow(
            id=uuid7(), login_digest=digest_of(login_key), address=network_of(address), at=utc_now()
        )
        # In the line of writers: of many at once each sees those before it.
        with self._database.write() as db:
            refuse_exhausted(db, row)
            db.add(row)
        return row.id

    def succeed(self, attempt_id: UUID) -> None:
        """It was the right password: the failures of its account and address are forgotten."""
        with self._database.write(ordered=False) as db:
            row = db.get_one(SignInRow, attempt_id)
            same = (SignInRow.login_digest == row.login_digest) & (SignInRow.address == row.address)
            db.execute(delete(SignInRow).where(same, SignInRow.id != attempt_id))
            db.execute(update(SignInRow).where(SignInRow.id == attempt_id).values(succeeded=True))

    def forget(self, attempt_id: UUID) -> None:
        """It was no failure."""
        with self._database.write(ordered=False) as db:
            db.execute(delete(SignInRow).where(SignInRow.id == attempt_id))

    def purge(self) -> int:
        """Forget what counts no more, or lies ahead because the clock once did; returns how many."""
        now = utc_now()
        old = SignInRow.at <= now - KNOWN_FOR
        old |= SignInRow.succeeded.is_(False) & (SignInRow.at <= now - WINDOW)
        with self._database.write(ordered=False) as db:
            gone = db.scalars(
                delete(SignInRow).where(old | (SignInRow.at > now + WINDOW)).returning(SignInRow.id)
            )
            return len(gone.all())


def refuse_exhausted(db: Session, row: SignInRow) -> None:
    """Refuse an attempt that would be one too many.

    Raises:
        SignInsExhausted: If so.
    """
    account, address = SignInRow.login_digest == row.login_digest, SignInRow.address == row.address
    bounds: list[tuple[ColumnElement[bool], int]] = [
        (account & address, MOST_OF_BOTH),
        (address, MOST_OF_ADDRESS),
    ]
    known = select(func.count()).where(
        account, address, SignInRow.succeeded, SignInRow.at > row.at - KNOWN_FOR, SignInRow.at <= row.at
    )
    if not db.scalar(known):
        bounds.append((account, MOST_OF_ACCOUNT))
    waits = [wait for which, most in bounds if (wait := wait_for(db, which, most, row.at))]
    if waits:
        raise SignInsExhausted(max(1, math.ceil(max(waits).total_seconds())))


def wait_for(db: Session, which: ColumnElement[bool], most: int, now: datetime) -> timedelta | None:
    """How long until fewer than so many failures count; None where there are fewer now."""
    counted = SignInRow.succeeded.is_(False) & (SignInRow.at > now - WINDOW) & (SignInRow.at <= now)
    query = select(SignInRow.at).where(which, counted).order_by(SignInRow.at.desc()).offset(most - 1).limit(1)
    oldest_that_counts = db.scalar(query)
    return oldest_that_counts + WINDOW - now if oldest_that_counts else None


def digest_of(login_key: str) -> str:
    """What is kept of a sign-in name: people type their password there, too."""
    return hashlib.sha256(b"invigil sign-in\0" + login_key.encode()).hexdigest()


def network_of(address: str | None) -> str:
    """An address as it is counted."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return (address or "unknown")[:64]
    return str(ip_network((found, IPV6_NETWORK_BITS), strict=False)) if found.version == 6 else str(found)
