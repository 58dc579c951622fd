"""Laws of the gallery: whatever is done in whatever order, two processes answer as a dictionary does."""

from uuid import UUID

import pytest
from fixtures_database import OpenDatabase
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from made_templates import DUPLICATE_D, MODEL, add_subject, enrol, made_template, open_gallery

from embedding.template import Template, distance
from index import audit
from index.database.database import Database
from index.errors import DuplicateIdentity, NoTemplate
from index.gallery.gallery import Gallery, Nearest

PEOPLE = st.integers(0, 5)
SAMPLES = st.integers(0, 3)
PROCESSES = st.integers(0, 1)


class GalleryBesideADictionary(RuleBasedStateMachine):
    """The made people are few, so that the same face often comes under two subjects."""

    subjects = Bundle("subjects")
    enrolled = Bundle("enrolled")

    database: Database
    other_database: Database

    def __init__(self) -> None:
        super().__init__()
        self.galleries = [open_gallery(self.database), Gallery(self.other_database, model_id=MODEL, dim=32)]
        self.plain: dict[UUID, dict[UUID, Template]] = {}

    @rule(target=subjects)
    def add_subject(self) -> UUID:
        subject_id = add_subject(self.database)
        self.plain[subject_id] = {}
        return subject_id

    @rule(target=enrolled, process=PROCESSES, subject_id=subjects, person=PEOPLE, sample=SAMPLES)
    def enrol(self, process: int, subject_id: UUID, person: int, sample: int) -> object:
        template = made_template(person, sample)
        others = (t for owner, theirs in self.plain.items() if owner != subject_id for t in theirs.values())
        if any(distance(template, other) <= DUPLICATE_D for other in others):
            with pytest.raises(DuplicateIdentity):
                enrol(self.galleries[process], subject_id, template)
            return multiple()
        new = enrol(self.galleries[process], subject_id, template)
        self.plain[subject_id][new.id] = template
        return (subject_id, new.id)

    @rule(process=PROCESSES, one=consumes(enrolled))
    def remove(self, process: int, one: tuple[UUID, UUID]) -> None:
        subject_id, template_id = one
        if template_id in self.plain.get(subject_id, {}):
            self.galleries[process].remove(subject_id, template_id, actor="test")
            del self.plain[subject_id][template_id]

    @rule(process=PROCESSES, subject_id=consumes(subjects))
    def erase(self, process: int, subject_id: UUID) -> None:
        receipt = self.galleries[process].erase(subject_id, actor="test")
        assert receipt.templates == len(self.plain.pop(subject_id))

    @rule(process=PROCESSES)
    def restart(self, process: int) -> None:
        database = (self.database, self.other_database)[process]
        self.galleries[process] = Gallery(database, model_id=MODEL, dim=32)

    @rule(process=PROCESSES, person=PEOPLE, k=st.integers(1, 8), max_d=st.sampled_from([0.01, 0.3, 4.0]))
    def search(self, process: int, person: int, k: int, max_d: float) -> None:
        probe = made_template(person)
        found = self.galleries[process].nearest(probe, k, max_d=max_d)
        self.compare(found, probe, k, max_d, set(self.plain))

    @rule(process=PROCESSES, person=PEOPLE, data=st.data())
    def search_within(self, process: int, person: int, data: st.DataObject) -> None:
        roster = data.draw(st.sets(st.sampled_from(sorted(self.plain)))) if self.plain else set()
        probe = made_template(person)
        found = self.galleries[process].nearest(probe, 3, max_d=4.0, within=roster)
        self.compare(found, probe, 3, 4.0, roster)

    @rule(process=PROCESSES, subject_id=subjects, person=PEOPLE)
    def verify(self, process: int, subject_id: UUID, person: int) -> None:
        probe, theirs = made_template(person), self.plain[subject_id]
        if not theirs:
            with pytest.raises(NoTemplate):
                self.galleries[process].distance_to(subject_id, probe)
            return
        nearest = self.galleries[process].distance_to(subject_id, probe)
        assert nearest.d == pytest.approx(min(distance(probe, one) for one in theirs.values()), abs=1e-12)
        assert nearest.template_id in theirs

    @invariant()
    def both_count_alike(self) -> None:
        for gallery in self.galleries:
            gallery.catch_up()
            assert len(gallery) == sum(map(len, self.plain.values()))

    def compare(self, found: list[Nearest], probe: Template, k: int, max_d: float, among: set[UUID]) -> None:
        nearest = {
            subject_id: min(distance(probe, one) for one in self.plain[subject_id].values())
            for subject_id in among
            if self.plain[subject_id]
        }
        expected = sorted(d for d in nearest.values() if d <= max_d)[:k]
        assert [one.d for one in found] == pytest.approx(expected, abs=1e-12)
        for one in found:
            assert one.d == pytest.approx(nearest[one.subject_id], abs=1e-12)

    def teardown(self) -> None:
        with self.database.read() as db:
            assert audit.verify_chain(db).is_whole
        for subject_id in list(self.plain):
            self.galleries[0].erase(subject_id, actor="test")


def test_the_gallery_answers_as_a_dictionary_does(
    database: Database, database_url: str, open_database: OpenDatabase
) -> None:
    GalleryBesideADictionary.database = database
    GalleryBesideADictionary.other_database = open_database(database_url)

    run_state_machine_as_test(
        GalleryBesideADictionary,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
