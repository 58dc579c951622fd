"""Trains with what is renewed in rounds, as one of the processes that torchrun starts.

python -m torch.distributed.run --nproc-per-node 2 tests/support/rounds_worker.py KIND FACES RUN
"""

import sys
from pathlib import Path

from renewal_recipes import renewing

from training.embedder.loop import train

if __name__ == "__main__":
    kind, faces, run = sys.argv[1:]
    train(renewing(kind), Path(faces), Path(run))
