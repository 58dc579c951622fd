"""Runs the benchmarks, all of them or those named, and says what they ran on."""

import argparse
import importlib
import os
import platform
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console

from embedding.cores import read_processor_name

FOLDER = Path(__file__).resolve().parent


def known_benchmarks() -> dict[str, Callable[..., None]]:
    """Every module of this folder that has a `run`, by its name."""
    names = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
    modules = {name: importlib.import_module(f"benchmarks.{name}") for name in names}
    return {name: module.run for name, module in modules.items() if hasattr(module, "run")}


def main(arguments: list[str]) -> None:
    """Run each benchmark in turn; an unknown name ends the program with a line that tells the known ones."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", help="which; by default all")
    parser.add_argument("--pictures", type=int, help="of faults: how many damaged pictures")
    asked = parser.parse_args(arguments)
    names, known = asked.names, known_benchmarks()
    if asked.pictures is not None:
        known["faults"] = partial(known["faults"], pictures=asked.pictures)
    unknown = sorted(set(names).difference(known))
    if unknown:
        sys.exit(f"There is no benchmark {unknown[0]!r}; there are: {', '.join(known)}")
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(f"{read_processor_name()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    load = os.getloadavg()[0]
    if load > 0.5:
        console.print(f"[yellow]Other work is running (load {load:.1f}): the figures will be too low.[/]")
    for name in names or known:
        console.rule(name)
        known[name](console)


if __name__ == "__main__":
    main(sys.argv[1:])
