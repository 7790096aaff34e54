"""The fuzz targets, their corpora, and the inputs that were once too much.

A corpus is `corpus/NAME.zip`, as OSS-Fuzz has them: small inputs that together reach every place
which fuzzing has reached, thinned out by libFuzzer's own merge. What once broke a target stays in
`crashes/NAME/`, a file each, named after what it broke.
"""

import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from tests.security import fuzz

HERE = Path(__file__).parent
CORPUS, CRASHES = HERE / "corpus", HERE / "crashes"
#: Bytes of an input where the target says nothing else.
LONGEST = 4096
#: Zip files are the same whenever they are written.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Target:
    """Something that is fuzzed."""

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]
    longest: int

    @property
    def invariant(self) -> str:
        """What must hold, in a line."""
        return (self.check.__doc__ or "").strip().partition("\n")[0]


def names() -> tuple[str, ...]:
    """Name the targets; a module whose name begins with _ is what several of them share."""
    found = (module.name for module in iter_modules(fuzz.__path__))
    return tuple(sorted(name for name in found if not name.startswith("_")))


def target(name: str) -> Target:
    module = import_module(f"tests.security.fuzz.{name}")
    longest: int = getattr(module, "LONGEST", LONGEST)
    return Target(name, module.check, module.seeds, longest)


def corpus(name: str) -> Iterator[tuple[str, bytes]]:
    """Give the kept inputs of a target with their names; none if there are none yet."""
    place = CORPUS / f"{name}.zip"
    if place.exists():
        with zipfile.ZipFile(place) as kept:
            for entry in kept.namelist():
                yield entry, kept.read(entry)


def crashes(name: str) -> Iterator[tuple[str, bytes]]:
    """Give what once broke a target."""
    for path in sorted((CRASHES / name).glob("*")):
        yield path.name, path.read_bytes()


def keep(name: str, inputs: Iterable[tuple[str, bytes]]) -> None:
    """Write a corpus."""
    CORPUS.mkdir(exist_ok=True)
    with zipfile.ZipFile(CORPUS / f"{name}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as to:
        for entry, data in sorted(inputs):
            to.writestr(zipfile.ZipInfo(entry, _NO_TIME), data, zipfile.ZIP_DEFLATED)
