"""The anchor of one process: what the audit chain was is written down beside the database, and compared."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple, Self

from index import audit
from index.audit import Origin
from index.consent.erasure import erase_returned, remove_returned
from index.consent.withdrawal import withdraw_returned
from index.database.database import Database
from index.errors import AnchorInvalid, GalleryError
from index.sealing.cipher import TemplateCipher
from index.subjects.enrolment_links import end_links
from index.subjects.portraits import remove_returned_portraits
from index.subjects.proposals import remove_refused
from index.trail.anchor import AnchorFile
from index.trail.anchor_lines import (
    Head,
    find_expected_heads,
    find_fork,
    find_ids,
    find_lost,
    find_seen,
    has_news,
)
from service.access.invitations import Invitations
from service.access.keys import Keys
from service.access.operators import Operators
from service.access.page_sessions import PageSessions
from service.access.passwords import Passwords
from service.errors import StartRefused
from service.exams.archive import archive_returned
from service.exams.evidence.retention import purge_returned
from service.exams.holds import put_returned
from service.exams.kiosks import end_codes
from service.logs import log
from service.settings import Settings
from service.template_keys import TemplateKeys

RETURNED = "restore"
"""In whose name people are erased again who came back with an older database."""
WENT_BACK = "database.went_back"


class Ended(NamedTuple):
    """What came back with an older database and was ended again.

    Attributes:
        people: Who were erased, or had withdrawn.
        keys: That were revoked.
        operators: Who were ended.
        templates: That were removed, of people who stayed.
        exams: That were archived, deleted or purged.
        passwords: Of operators who signed in by another one since, or had another role.
        holds: That were put again, so that no sweep removes what they keep.
    """

    people: int
    keys: int
    operators: int
    templates: int
    exams: int
    passwords: int
    holds: int


@dataclass(frozen=True)
class Anchoring:
    """The database and its anchor."""

    database: Database
    anchor: AnchorFile

    @classmethod
    def of(cls, settings: Settings, database: Database, cipher: TemplateCipher) -> Self:
        """The anchor that the settings name."""
        return cls(database, AnchorFile(settings.anchor, cipher))

    def note(self) -> None:
        """Write down the newest event and what must not be undone; what is committed does not fail by it."""
        try:
            with self.database.read() as db:
                head = self.anchor.note(db)
        except (GalleryError, OSError) as error:
            log.error("audit_head_not_noted", reason=str(error))
            return
        if head is not None:
            log.info("audit_head", seq=head[0], digest=head[1])

    def end_returned(self) -> Ended:
        """End again what came back with an older database and was ended for good since.

        Raises:
            AnchorInvalid: If the anchor was changed: nobody could say then who was erased.
            DatabaseError: If it could not be written.
        """
        lines, by = self.anchor.lines(), Origin(RETURNED)
        database, operators = self.database, Operators(self.database)
        ended = {
            "erased_again": erase_returned(database, find_ids(lines, "erased"), actor=RETURNED),
            "withdrawn_again": withdraw_returned(database, find_seen(lines, "withdrawn"), actor=RETURNED),
            "templates_removed_again": remove_returned(database, find_ids(lines, "removed"), actor=RETURNED),
            "pictures_refused_again": remove_refused(database, find_ids(lines, "refused"), actor=RETURNED),
            "portraits_removed_again": remove_returned_portraits(
                database, find_ids(lines, "refused"), actor=RETURNED
            ),
            "keys_revoked_again": Keys(database).revoke_returned(find_ids(lines, "revoked"), actor=RETURNED),
            "operators_ended_again": operators.end_returned(find_ids(lines, "ended"), by),
            "passwords_reset_again": operators.reset_returned(find_seen(lines, "reset"), by),
            "holds_put_again": put_returned(
                database, find_seen(lines, "held"), find_seen(lines, "lifted"), by
            ),
            "exams_archived_again": archive_returned(
                database, find_ids(lines, "archived"), find_ids(lines, "deleted"), by
            ),
            "exams_purged_again": purge_returned(database, find_ids(lines, "purged"), by),
        }
        if happened := {name: count for name, count in ended.items() if count}:
            log.warning("ended_again", **happened)
        return Ended(
            people=ended["erased_again"] + ended["withdrawn_again"],
            keys=ended["keys_revoked_again"],
            operators=ended["operators_ended_again"],
            templates=ended["templates_removed_again"],
            exams=ended["exams_archived_again"] + ended["exams_purged_again"],
            passwords=ended["passwords_reset_again"],
            holds=ended["holds_put_again"],
        )

    def end_sign_ins(self) -> None:
        """Sign everybody out and let no link or code work: nobody knows who signed out, or used one, since.

        Raises:
            DatabaseError: If it could not be written.
        """
        PageSessions(self.database).end_all()
        Invitations(self.database, Passwords()).end_all()
        end_codes(self.database)
        end_links(self.database)

    def settle_return(self) -> Ended:
        """End again what came back with an older database, and everybody's sign-in once for each return.

        Raises:
            AnchorInvalid, DatabaseError: As `end_returned`.
        """
        self._warn_if_missing()
        ended, lost = self.end_returned(), self.find_lost()
        if lost is None or self._is_settled(lost):
            return ended
        self.end_sign_ins()
        with self.database.write() as db:
            audit.record(db, action=WENT_BACK, actor=RETURNED, details={"lost": f"{lost[0]}:{lost[1]}"})
        log.warning("database_went_back", lost=lost[0])
        return ended

    def _warn_if_missing(self) -> None:
        """Say that something was ended for good and there is no anchor: its disk may not be mounted."""
        with self.database.read() as db:
            is_expected = has_news(db, 0)
        if is_expected and not self.anchor.path.exists():
            log.error("anchor_missing", path=str(self.anchor.path))

    def _is_settled(self, lost: Head) -> bool:
        """Whether everybody has been signed out since the database lost this event."""
        with self.database.read() as db:
            settled = audit.list_events_after(db, 0, action=WENT_BACK)
            return any(event.details["lost"] == f"{lost[0]}:{lost[1]}" for event in settled)

    def verify(self, expected: Collection[Head] = ()) -> audit.ChainReport:
        """Walk the chain and compare it with the anchor, and with events noted elsewhere.

        Raises:
            AnchorInvalid: If the anchor was changed.
            DatabaseError: If the database cannot be reached.
        """
        heads = [*find_expected_heads(self.anchor.lines()), *expected]
        with self.database.read() as db:
            return audit.verify_chain(db, expected_heads=heads)

    def accept(self, reason: str) -> str:
        """Take the chain as it is for the present one; returns what was lost, in one line.

        Raises:
            AnchorInvalid, DatabaseError, OSError: If something cannot be read or written.
        """
        ended = self.settle_return()
        with self.database.write() as db:
            known = find_fork(db, self.anchor.lines())[0]
            details = {
                "reason": reason,
                "known_until": known,
                "erased": ended.people,
                "revoked": ended.keys,
                "ended": ended.operators,
                "removed": ended.templates,
                "exams": ended.exams,
                "passwords": ended.passwords,
                "holds": ended.holds,
            }
            audit.record(db, action="audit.loss_accepted", actor=RETURNED, details=details)
        with self.database.read() as db:
            self.anchor.note_restored(db)
        return (
            f"The audit trail goes on after event {known}; {ended.people} people were erased or withdrawn "
            f"again, {ended.templates} templates removed, {ended.keys} keys revoked, {ended.operators} "
            f"operators ended, {ended.passwords} passwords reset, {ended.exams} exams archived, deleted or "
            f"purged again, {ended.holds} holds put again. Everybody has to sign in again."
        )

    def find_lost(self) -> Head | None:
        """The event written down last that the database lacks; None if it has them all.

        Raises:
            AnchorInvalid, DatabaseError: As `verify`.
        """
        with self.database.read() as db:
            return next(reversed(find_lost(db, self.anchor.lines())), None)


def head_of(text: str) -> Head:
    """An event as `invigil audit verify` prints it.

    Raises:
        StartRefused: If it is not SEQ:DIGEST.
    """
    found = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text.strip())
    if found is None:
        raise StartRefused(f"{text!r} is no event: it is SEQ:DIGEST, as `invigil audit verify` prints it.")
    return int(found[1]), found[2]


def verify_all(
    settings: Settings, database: Database, expected: Collection[Head]
) -> tuple[audit.ChainReport, bool]:
    """What a walk along the chain found, and whether there was an anchor to compare it with.

    Raises:
        AnchorInvalid: If the anchor was changed, or cannot be checked without its key.
        DatabaseError: If the database cannot be reached.
    """
    cipher = TemplateKeys(settings).cipher()
    if settings.anchor.exists() and cipher is None:
        raise AnchorInvalid(settings.anchor, 1, "its key is not set")
    if cipher is None:
        with database.read() as db:
            return audit.verify_chain(db, expected_heads=expected), False
    return Anchoring.of(settings, database, cipher).verify(expected), settings.anchor.exists()


def accept_loss(settings: Settings, database: Database, reason: str) -> str:
    """Go on from where the database ends, although the anchor knows more; returns what was done, in one line.

    Raises:
        StartRefused: If nothing is lost, or there is no template key.
        AnchorInvalid, DatabaseError, OSError: If it cannot be read or written; then nothing is accepted.
    """
    cipher = TemplateKeys(settings).cipher()
    if cipher is None:
        raise StartRefused("Without the template key nobody can say what the anchor holds.")
    anchoring = Anchoring.of(settings, database, cipher)
    if anchoring.find_lost() is None:
        raise StartRefused("The database has every event that the anchor knows: nothing is lost.")
    return anchoring.accept(reason)


def note_now(settings: Settings, database: Database) -> None:
    """Note what a command has just done, where the installation has a template key.

    What cannot be noted is logged, and every service notes it within a second in its own anchor.
    """
    cipher = TemplateKeys(settings).cipher()
    if cipher is not None:
        Anchoring.of(settings, database, cipher).note()
