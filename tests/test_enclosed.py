"""What comes with the program is what stands in the repository, also in a wheel."""

import tomllib
from pathlib import Path

from pbx_bridge import enclosed

ROOT = Path(__file__).parent.parent
FILES = {
    "pbx-bridge.example.toml": enclosed.reference,
    "asterisk-conf/manager.d/pbxbridge.conf": enclosed.account,
}


def test_it_is_the_file_of_the_repository() -> None:
    for path, read in FILES.items():
        assert read() == (ROOT / path).read_text(encoding="utf-8")


def test_a_wheel_has_them_where_they_are_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included == {path: f"pbx_bridge/{Path(path).name}" for path in FILES}
