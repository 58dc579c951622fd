"""A demonstration from its folder to what is served, and the links to it."""

import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from fastapi import FastAPI

from embedding.people.generator import MadeUpPeople
from service.access.scopes import Scope
from service.app import create_app
from service.demo.camera import mount
from service.demo.cast import Cast
from service.demo.filling import ACTOR, DOOR, ORIGIN, fill, is_open, new_session
from service.demo.folder import DemoFolder
from service.demo.people import people_of
from service.errors import StartRefused
from service.exams.sessions import create_kiosk_key
from service.parts import Parts

HOST = "127.0.0.1"
KEY_LIFETIME = timedelta(hours=24)


@dataclass(frozen=True)
class Demonstration:
    """What is served, and what opens it.

    Attributes:
        admin_key: Opens the API for a day.
        password: Of an operator of each role, who signs in by the role's name.
        kiosk_key: Opens the kiosk until the session closes.
        next_candidate: Who has not come yet.
    """

    app: FastAPI
    session_id: UUID
    admin_key: str
    password: str
    kiosk_key: str
    next_candidate: str

    def links(self, base: str) -> dict[str, str]:
        """Where to look, by what is there."""
        return {
            "console": f"{base}/console",
            "board": f"{base}/console#/sessions/{self.session_id}",
            "kiosk": f"{base}/kiosk#key={self.kiosk_key}",
        }


def listen(port: int) -> socket.socket:
    """A socket on this machine's own address; port 0 takes any that is free.

    Raises:
        StartRefused: If something listens there already.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()
    except OSError as error:
        listening.close()
        reason = (error.strerror or "it cannot be used").lower()
        raise StartRefused(f"Port {port} cannot be had ({reason}); choose another with --port.") from error
    return listening


def prepare(folder: DemoFolder) -> Demonstration:
    """Makes what is missing in the folder, and new keys to it.

    Raises:
        StartRefused: If the generator's people cannot be enrolled with the bundle.
        PeopleInvalid, BundleError, DatabaseError: If a part cannot be opened.
    """
    cast = Cast(MadeUpPeople.open())
    parts = Parts.open(folder.settings)
    try:
        session_id = session_of(folder, parts, cast)
        expires_at = datetime.now(UTC) + KEY_LIFETIME
        admin = parts.keys.create("Demo administrator", [Scope.ADMIN], actor=ACTOR, expires_at=expires_at)[1]
        password = people_of(parts, ACTOR)
        kiosk = create_kiosk_key(parts.desk, session_id, DOOR, ORIGIN, uuid4()).key
    except BaseException:
        parts.close()
        raise
    app = create_app(parts)
    mount(app, cast)
    expected = next(member.external_id for member in cast.members if member.fate == "expected")
    return Demonstration(app, session_id, admin, password, kiosk, expected)


def session_of(folder: DemoFolder, parts: Parts, cast: Cast) -> UUID:
    """The session of a former run while it is open, else a new one of today."""
    former = folder.session_id
    if former is not None and is_open(parts, former):
        return former
    folder.begin()
    session_id = fill(parts, cast) if former is None else new_session(parts, cast)
    folder.finish(session_id)
    return session_id
