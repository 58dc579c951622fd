"""Look up every pinned dependency in an advisory source; says so where none is within reach.

python .ci/audit.py REQUIREMENTS
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def main(requirements: str) -> int:
    """Returns 1 if a dependency has a known vulnerability, else 0."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "audit.json"
        command = [sys.executable, "-m", "pip_audit", "--requirement", requirements, "--require-hashes"]
        options = ["--disable-pip", "--progress-spinner", "off", "--format", "json", "--output", str(report)]
        done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
        if not report.is_file():
            print("Dependencies: not audited, no advisory source is within reach.", done.stderr[-200:])
            return 0
        found = json.loads(report.read_text(encoding="utf-8"))["dependencies"]
    # A mirror that has packages but no advisories has every package skipped: that is no audit.
    looked_up = [one for one in found if "skip_reason" not in one]
    vulnerable = [one for one in looked_up if one["vulns"]]
    for one in vulnerable:
        print(one["name"], one["version"], *(vulnerability["id"] for vulnerability in one["vulns"]))
    print(f"Dependencies: {len(looked_up)} audited, {len(found) - len(looked_up)} not audited.")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
