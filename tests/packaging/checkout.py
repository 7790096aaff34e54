"""The checkout as others get it, and what is built from it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
#: A version to upgrade from.
OLDER = "0.0.9"
VERSION_FILE = Path("pbx_bridge", "__init__.py")


@dataclass(frozen=True)
class Dist:
    """What scripts/build-dist made."""

    wheel: Path
    sdist: Path


def run(*command: str | Path, env: Mapping[str, str] | None = None, umask: int = -1) -> str:
    """Run to the end and give what was printed; a failure shows it. Ten minutes at most."""
    done = subprocess.run(  # noqa: S603
        [str(part) for part in command], env=env, umask=umask,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, f"{command} gave {done.returncode}:\n{done.stdout}"
    return done.stdout


def export(to: Path, *, version: str | None = None) -> Path:
    """Copy what git would take from this checkout into a folder, as another version if asked."""
    names = run("git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in names.split("\0"):
        if name and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, to / name)
    if version is not None:
        file = to / VERSION_FILE
        lines = file.read_text().splitlines(keepends=True)
        file.write_text(
            "".join(
                f'__version__ = "{version}"\n' if line.startswith("__version__") else line
                for line in lines
            )
        )
    return to


def build(source: Path, out: Path, *, umask: int = 0o022, **environment: str) -> Dist:
    """Build the wheel and the source distribution of a checkout."""
    run(
        source / "scripts" / "build-dist", BIN, out,
        env=os.environ | {"SOURCE_DATE_EPOCH": commit_time()} | environment, umask=umask,
    )  # fmt: skip
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return Dist(wheel, sdist)


def commit_time() -> str:
    """Give the time of this checkout's commit, which an export has no git to ask for."""
    return run("git", "-C", ROOT, "log", "-1", "--format=%ct").strip()
