"""Processes that start quickly: forked from one that has imported the packages and done nothing else."""

import multiprocessing
from multiprocessing.context import ForkServerContext

# Installed names only: the fork server of Python 3.11 does not take over the path of who started it, and it
# passes over in silence what it cannot import.
PRELOADED = [
    "pytest",
    "index.gallery.gallery",
    "invigil",
    "service.app",
    "service.matching.bulk_enrolment",
    "service.commands.decisions",
    "service.commands.parts",
]


def quick_processes() -> ForkServerContext:
    """The context to start them from. All tests of a run share one fork server, so they share its imports."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context
