"""`python -m benchmarks.retraining base --data DATA --work WORK`; docs/training.md has all steps."""

import argparse
from pathlib import Path

from benchmarks.retraining.base import HELD_OUT, write_base
from benchmarks.retraining.prove import LOSSES, SEEDS, prove, try_few
from benchmarks.retraining.site import write_site


def main() -> None:
    """Do one of the steps."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retraining")
    parser.add_argument("step", choices=["base", "site", "prove", "few"])
    parser.add_argument("--data", type=Path, required=True, help="with faces/ and teacher/ in it")
    parser.add_argument("--work", type=Path, required=True, help="where everything is written")
    parser.add_argument("--loss", action="append", choices=LOSSES, help="by default each")
    parser.add_argument("--seed", action="append", type=int, help="by default three")
    asked = parser.parse_args()
    if asked.step == "base":
        said = write_base(asked.data, asked.work)
    elif asked.step == "site":
        said = write_site(asked.data, asked.work, HELD_OUT)
    elif asked.step == "few":
        said = try_few(asked.data, asked.work)
    else:
        said = prove(asked.data, asked.work, asked.loss or list(LOSSES), asked.seed or SEEDS)
    print(said)


if __name__ == "__main__":
    main()
