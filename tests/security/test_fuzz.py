"""What fuzzing found interesting, or too much, holds what must hold: without a fuzzer.

docs/fuzzing.md says how the fuzzer itself is run.
"""

import pytest

from tests.security import fuzzing
from tests.security.fuzzing import target

NAMES = fuzzing.names()


@pytest.mark.parametrize("name", NAMES)
def test_seeds_hold(name: str) -> None:
    seeds = list(target(name).seeds())
    assert seeds, "nothing to begin with"
    for data in seeds:
        target(name).check(data[: target(name).longest])


@pytest.mark.parametrize("name", NAMES)
def test_the_kept_corpus_holds(name: str) -> None:
    for entry, data in fuzzing.corpus(name):
        _holds(name, entry, data)


CRASHES = [(name, entry) for name in NAMES for entry, _ in fuzzing.crashes(name)]


@pytest.mark.parametrize(("name", "entry"), CRASHES)
def test_what_once_broke_it_holds_now(name: str, entry: str) -> None:
    _holds(name, entry, dict(fuzzing.crashes(name))[entry])


def test_nothing_is_kept_of_a_target_that_is_gone() -> None:
    kept = {path.stem for path in fuzzing.CORPUS.glob("*.zip")}
    kept |= {path.name for path in fuzzing.CRASHES.glob("*")}
    assert sorted(kept - set(NAMES)) == []


def test_every_target_says_what_must_hold() -> None:
    assert [name for name in NAMES if not target(name).invariant] == []


def _holds(name: str, entry: str, data: bytes) -> None:
    try:
        target(name).check(data)
    except BaseException as error:  # also a panic of a library in Rust
        error.add_note(f"{name}: {entry}")
        raise
