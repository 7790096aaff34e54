"""Fuzzes one target with atheris, which follows what each input reaches (libFuzzer).

    python -m tests.security.fuzz_run NAME SECONDS

starts from the seeds, the kept corpus and what once broke the target. At the end it writes the
corpus thinned out by libFuzzer's merge; an input that breaks the target goes to `crashes/NAME/`,
and the run ends with an error. Called by `scripts/fuzz`.
"""

import argparse
import hashlib
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris

#: Below these names code is watched; all else that it calls is not.
WATCHED = [
    *(f"pbx_bridge.{part}" for part in ("core", "gateways", "contacts", "sources", "voicemail")),
    *("pbx_bridge.ics", "pbx_bridge.bookings", "pbx_bridge.web.back"),
    *("vobject", "icalendar", "recurring_ical_events", "csv", "tomllib"),
]
#: Of targets that would have nearly all of the package watched, which takes a minute to begin with.
WATCHED_OF = {
    "api_query": ["pbx_bridge.web.api", "pbx_bridge.core.contact"],
    "config_toml": [
        *(f"pbx_bridge.config.{part}" for part in ("loading", "lines", "problems", "values")),
        "tomllib",
    ],
}
#: An input that takes longer is a finding: seconds, and mebibytes of memory.
SLOWEST, MEMORY = 10, 2048
#: Inputs of a corpus that is kept; of more, the shortest.
MOST_KEPT = 200
#: Seconds that thinning out may take.
MERGES = 120


def main() -> None:
    asked = _asked()
    if asked.once:
        _libfuzzer(asked.name, *asked.once)
        return
    from tests.security import fuzzing  # noqa: PLC0415 - `_libfuzzer` has it watched

    target = fuzzing.target(asked.name)
    crashes = fuzzing.CRASHES / target.name
    with tempfile.TemporaryDirectory() as place:
        grown, thin, found = (Path(place, part) for part in ("grown", "thin", "found"))
        for folder in (grown, thin, found):
            folder.mkdir()
        again = _again(target.name, Path(place, "fuzzer"))
        known = [*target.seeds(), *(data for _, data in fuzzing.corpus(target.name))]
        known += [data for _, data in fuzzing.crashes(target.name)]
        for data in known:
            (grown / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(
                data[: target.longest]
            )
        options = [f"-max_len={target.longest}", f"-timeout={SLOWEST}", f"-rss_limit_mb={MEMORY}"]
        status = again(
            f"-max_total_time={asked.seconds}",
            *options,
            "-print_final_stats=1",
            f"-artifact_prefix={found}/",
            str(grown),
        )
        for path in found.iterdir():
            crashes.mkdir(parents=True, exist_ok=True)
            (crashes / path.name).write_bytes(path.read_bytes())
            sys.stderr.write(f"found: {crashes / path.name}\n")
        if not asked.keep:
            sys.exit(status)
        # Even after a finding: what else was reached is kept, but for the input itself.
        merged = again("-merge=1", f"-max_total_time={MERGES}", *options, str(thin), str(grown))
        of = thin if merged == 0 else grown  # a merge that took too long left nothing
        shortest = sorted(of.iterdir(), key=lambda path: path.stat().st_size)[:MOST_KEPT]
        fuzzing.keep(target.name, [(path.name, path.read_bytes()) for path in shortest])
    sys.exit(status)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, add_help=False)
    parser.add_argument("name")
    parser.add_argument("seconds", type=int, nargs="?", default=60)
    parser.add_argument("--keep", action="store_true", help="write the corpus anew")
    parser.add_argument("--once", nargs=argparse.REMAINDER, help="libFuzzer's own arguments")
    return parser.parse_args()


def _again(name: str, itself: Path) -> Callable[..., int]:
    """Give what runs libFuzzer in a process of its own, which it ends in its own way.

    For its merge it starts itself again, by the name of its program: so that is a program.
    """
    own = shlex.join([sys.executable, "-m", __spec__.name, name, "--once", str(itself)])
    itself.write_text(f'#!/bin/sh\nexec {own} "$@"\n', encoding="utf-8")
    itself.chmod(0o700)

    def run(*arguments: str) -> int:
        return subprocess.run([str(itself), *arguments], check=False).returncode  # noqa: S603

    return run


def _libfuzzer(name: str, *arguments: str) -> None:
    with atheris.instrument_imports(include=WATCHED_OF.get(name, WATCHED)):
        from tests.security import fuzzing  # noqa: PLC0415

        target = fuzzing.target(name)
    atheris.Setup(list(arguments), target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
