"""Configuration files."""

import re
from collections.abc import Iterator
from pathlib import Path

from pbx_bridge.config import ConfigError, Problem, loading
from pbx_bridge.config.lines import places
from pbx_bridge.enclosed import reference
from tests.real_calls import FOLDER
from tests.security.fuzz import _texts

LONGEST = 3000
NOWHERE = Path("/nonexistent")


def check(data: bytes) -> None:
    """Any text is a configuration, or a report whose every line names a line of the file."""
    if b"/dev" in data or b"/proc" in data:
        return  # a secret in a file is read
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    found: tuple[Problem, ...] = ()
    try:
        loading.parse(text, "pbx-bridge.toml", NOWHERE)
    except ConfigError as error:
        found = error.problems
    else:
        for pair in places(text).pairs.values():
            assert 0 <= pair.whole.start <= pair.value.start <= pair.value.end <= len(text)
    for problem in found:
        assert 0 <= problem.line <= text.count("\n") + 1
        assert problem.message
        _texts.is_clean(str(problem))


def seeds() -> Iterator[bytes]:
    yield b'[office]\nname = "Miller"\ncountry = "US"\n\n[[pbx]]\nname = "a"\nsecret = "x"\n'
    for path in sorted((FOLDER / "settings").glob("*.toml")):
        yield path.read_bytes()
    for table in re.split(r"\n(?=# *\[)", reference()):
        # Nothing commented out.
        yield re.sub(r"(?m)^# ?(?=[\[a-z_]+[^.]*[\]=])", "", table).encode()
