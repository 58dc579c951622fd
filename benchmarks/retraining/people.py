"""Who is the site, who judges it, who is elsewhere: by the split that ships and a seed."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from training.data.faces import FaceSet, Split

SEED = 20261127
PICTURES = 5
"""Fewer of one person make a site's error rates hang on single pictures."""

JUDGED = 97


@dataclass(frozen=True)
class People:
    """Identities, each in one part.

    Attributes:
        site: Those that the site has, and may train on.
        judged: Those that only judge the site's candidate.
        elsewhere: Those held out for tests of the network that ships: no site has them.
    """

    site: tuple[str, ...]
    judged: tuple[str, ...]
    elsewhere: tuple[str, ...]

    @property
    def of_site(self) -> frozenset[str]:
        """Whom the base must not have seen."""
        return frozenset(self.site) | frozenset(self.judged)


def choose_people(faces: FaceSet, split: Split, seed: int = SEED) -> People:
    """Parts those who have enough pictures and are not held out already."""
    counts = Counter(identity for identity in faces.identities if identity)
    many = sorted(name for name, count in counts.items() if count >= PICTURES and name not in split.held_out)
    order = np.random.default_rng(seed).permutation(len(many))
    judged = sorted(many[i] for i in order[:JUDGED])
    site = sorted(many[i] for i in order[JUDGED:])
    return People(tuple(site), tuple(judged), split.test)
