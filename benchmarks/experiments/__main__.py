"""`python -m benchmarks.experiments --data DATA --work WORK`: what is not done yet, then the table."""

import argparse
from pathlib import Path

from benchmarks.experiments.changes import EXPERIMENTS
from benchmarks.experiments.faces import lay_out_faces
from benchmarks.experiments.run import read_outcome, run_experiment
from benchmarks.experiments.table import write_table


def main() -> None:
    """Run some of the experiments, or all; print the rows there are."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.experiments")
    parser.add_argument("--data", type=Path, required=True, help="with faces/ and teacher/ in it")
    parser.add_argument("--work", type=Path, required=True, help="where everything is written")
    parser.add_argument("--run", action="append", choices=EXPERIMENTS, help="by default each")
    parser.add_argument("--table", action="store_true", help="print the rows there are, and run nothing")
    asked = parser.parse_args()
    if not asked.table:
        faces = lay_out_faces(asked.data, asked.work / "faces")
        for name in asked.run or EXPERIMENTS:
            run_experiment(name, faces, asked.work / "runs" / name)
    found = {name: read_outcome(asked.work / "runs" / name) for name in EXPERIMENTS}
    print(write_table({name: outcome for name, outcome in found.items() if outcome is not None}))


if __name__ == "__main__":
    main()
