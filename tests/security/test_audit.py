"""`scripts/audit` tells a vulnerability from a PyPI that cannot be asked."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

AUDIT = Path(__file__).parents[2] / "scripts" / "audit"
SOUND = {"name": "sound", "version": "1.0", "vulns": []}
HOLE = {"name": "old", "version": "0.9", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.0"]}]}
UNASKED = {"name": "own", "skip_reason": "Dependency not found on PyPI"}


@pytest.mark.parametrize(
    ("libraries", "ended", "status", "said"),
    [
        ([SOUND], 0, 0, "1 libraries, no known vulnerability"),
        ([SOUND, HOLE], 1, 1, "old 0.9: PYSEC-1, mended in 1.0"),
        ([SOUND, UNASKED], 0, 75, "NOT DONE for 1 of 2 libraries, such as own"),
        ([HOLE, UNASKED], 1, 1, "old 0.9: PYSEC-1"),  # a known one counts more
        (None, 1, 75, "NOT DONE, PyPI could not be asked"),
    ],
)
def test_a_hole_fails_and_no_answer_is_told(
    tmp_path: Path, libraries: list[dict[str, Any]] | None, ended: int, status: int, said: str
) -> None:
    answer = "" if libraries is None else json.dumps({"dependencies": libraries, "fixes": []})
    program(tmp_path / "pip-audit", f"echo '{answer}'; echo 'no route to host' >&2; exit {ended}")
    program(tmp_path / "python", f'exec {sys.executable} "$@"')
    run = subprocess.run(  # noqa: S603 - the script under test
        [AUDIT, tmp_path], capture_output=True, text=True, check=False, timeout=300
    )
    assert run.returncode == status, run.stderr
    assert said in run.stdout + run.stderr


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
