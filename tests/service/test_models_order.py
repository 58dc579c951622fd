"""People whom several models found are put in one order, whichever model found them."""

from types import SimpleNamespace
from typing import cast

import numpy as np
from fixtures_exams import CALIBRATION
from made_templates import MODEL, OTHER_MODEL, add_subject, enrol, open_gallery, template_at

from embedding.embedder import Embedder, Embedding
from index.database.database import Database
from service.decisions.decision import Policy
from service.models.loaded import LoadedModel, Serving


def test_of_those_nearer_than_any_known_rate_the_nearest_comes_first(database: Database) -> None:
    policy = Policy.of(CALIBRATION, 1e-4, 1e-3)
    embedder = cast(Embedder, SimpleNamespace(embed_crops=lambda crops: [template_at(1).vector]))
    active, former = (
        LoadedModel(embedder, open_gallery(database, model), policy, duplicate_fmr=1e-5, duplicate_d=0.4)
        for model in (MODEL, OTHER_MODEL)
    )
    # d = 2 - 2 cos: 0.1 under the active model, 0.02 and 0.16 under the former; the curve begins at 0.2.
    known = add_subject(database)
    enrol(active.gallery, known, template_at(0.95, (1 - 0.95**2) ** 0.5))
    nearer, farther = add_subject(database), add_subject(database)
    enrol(former.gallery, nearer, template_at(0.99, (1 - 0.99**2) ** 0.5, model_id=OTHER_MODEL))
    enrol(
        former.gallery,
        farther,
        template_at(0.92, 0.0, (1 - 0.92**2) ** 0.5, model_id=OTHER_MODEL),
        force_reason="made people look alike",
    )
    probe = cast(Embedding, SimpleNamespace(template=template_at(1), crop=np.zeros((112, 112, 3), np.uint8)))

    found = Serving(active, (former,)).nearest(probe, 3, max_d=lambda model: 0.3)

    assert [one.nearest.subject_id for one in found] == [nearer, known, farther]
