"""What `torch.compile` needs of the machine, which a laptop or a small image may lack."""

import logging
import os
import shutil
import sysconfig
from pathlib import Path

log = logging.getLogger("invigil.training")


def compiler_found() -> bool:
    """Whether there are a C++ compiler and Python's headers; says so where there are not."""
    command = os.environ.get("CXX", "g++").split()
    compiler = bool(command) and shutil.which(command[0]) is not None
    headers = (Path(sysconfig.get_path("include")) / "Python.h").is_file()
    if compiler and headers:
        return True
    missing = "Python's headers" if compiler else "a C++ compiler (g++, or what CXX names)"
    log.warning("There is no sign of %s: training goes on without torch.compile, and slower.", missing)
    return False
