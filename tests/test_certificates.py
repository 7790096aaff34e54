"""TLS as a configuration has it."""

import ssl
from pathlib import Path
from typing import Any

import certifi
import pytest
from pydantic import TypeAdapter, ValidationError

from pbx_bridge.certificates import OptionalTls, Tls

READ = TypeAdapter[Tls | None](OptionalTls)


def test_switched_off_there_is_none() -> None:
    off = False
    assert READ.validate_python(off) is None


def test_a_certificate_and_its_name_are_always_verified(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(Path(certifi.where()).read_bytes())
    for written in (True, {}, {"ca": "ca.pem"}):
        tls = READ.validate_python(written, context={"folder": tmp_path})
        assert tls is not None
        context = tls.context()
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("yes", "neither true, false nor a table"),
        ({"ca": "/nowhere.pem"}, "no certificates there: No such file"),
        ({"ca": __file__}, "no certificates there"),
        ({"verify": False}, "verify"),
    ],
)
def test_mistakes_are_named(written: Any, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        READ.validate_python(written)
