"""Explain why a file could not be read, without revealing its content.

People who submit a job may name a file and read the job's error: an error that quotes the file would reveal
any file that the worker can open.
"""

import csv
import json
import re
import tarfile
import tomllib


def reason_of(error: Exception) -> str:
    """What is wrong with a file, without the content that drivers and parsers quote."""
    match error:
        case UnicodeDecodeError():
            return "it is not UTF-8"
        case OSError():
            return error.strerror or "it is missing"
        case csv.Error():
            return "it is not CSV"
        case json.JSONDecodeError():
            return f"it is not JSON from line {error.lineno} on"
        case tomllib.TOMLDecodeError():
            where = re.search(r"line \d+, column \d+|end of document", str(error))
            return f"it is not TOML ({where[0]})" if where else "it is not TOML"
        case tarfile.TarError():
            return "it is damaged or of another format"
        case _:
            return "it lacks what such a file has"
