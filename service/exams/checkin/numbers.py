"""What a card says, and whose number it is: a rule of the site, and further numbers of one subject."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session as OrmSession

from index.audit import Origin
from index.database.database import Database
from index.errors import SubjectNotFound
from index.external_ids import build_external_key
from index.tables import SubjectRow
from service.cards.number_rule import NumberRule
from service.exams.audit import note
from service.exams.checkin.rules import find_entry
from service.exams.errors import CardTaken, NumberInvalid
from service.exams.tables import CardRow, RosterEntryRow


def number_meant(db: OrmSession, session_id: UUID, text: str, rule: NumberRule) -> str:
    """The external id that is meant on a roster; the text itself where nobody's is.

    As it stands first, then as the site's cards spell it, then as another number of somebody.

    Raises:
        NumberInvalid: If nobody has it, and the site's rule says that nobody can.
        ExternalIdAmbiguous: If several candidates have an equal id.
    """
    if (entry := find_entry(db, session_id, text)) is not None:
        return entry.external_id
    number = rule.read(text)
    key = build_external_key(text)
    if number is not None and build_external_key(number) != key:
        entry = find_entry(db, session_id, number)
        if entry is not None:
            return entry.external_id
    card = db.get(CardRow, key)
    if card is not None:
        mine = RosterEntryRow.session_id == session_id, RosterEntryRow.subject_id == card.subject_id
        found = db.scalars(select(RosterEntryRow).where(*mine)).first()
        owner = db.get_one(SubjectRow, card.subject_id)
        return found.external_id if found else owner.external_id or text
    if number is None:
        raise NumberInvalid
    return number


def cards_of(database: Database, subject_id: UUID) -> list[str]:
    """The further numbers of a subject, sorted."""
    with database.read() as db:
        query = select(CardRow.number).where(CardRow.subject_id == subject_id).order_by(CardRow.number)
        return list(db.scalars(query))


def set_cards(database: Database, subject_id: UUID, numbers: Sequence[str], origin: Origin) -> list[str]:
    """Give a subject these further numbers in place of the former.

    Raises:
        SubjectNotFound: If there is no such subject.
        CardTaken: If one of them is somebody else's, as a card or as the external id.
    """
    keys = {build_external_key(number): number for number in numbers}
    with database.write() as db:
        if db.get(SubjectRow, subject_id) is None:
            raise SubjectNotFound(str(subject_id))
        other = CardRow.subject_id != subject_id, CardRow.number_key.in_(keys)
        owner = SubjectRow.id != subject_id, SubjectRow.external_key.in_(keys)
        taken = db.scalar(select(CardRow.number_key).where(*other).limit(1))
        taken = taken or db.scalar(select(SubjectRow.external_key).where(*owner).limit(1))
        if taken is not None:
            raise CardTaken(keys[taken])
        db.execute(delete(CardRow).where(CardRow.subject_id == subject_id))
        db.add_all(
            CardRow(number_key=key, number=number, subject_id=subject_id) for key, number in keys.items()
        )
        note(db, "subject.cards_changed", origin, subject_id=subject_id, cards=len(keys))
    return sorted(keys.values())
