"""Secrets: found where the configuration says, seen by nobody."""

import copy
import pickle
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from pbx_bridge.secret import Secret


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: Secret
    number: int = 1


def test_plain_text_is_a_secret() -> None:
    assert Section.model_validate({"token": " hush "}).token.reveal() == "hush"


def test_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("hush\n")
    assert Section.model_validate({"token": {"file": str(file)}}).token.reveal() == "hush"


def test_a_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hush")
    assert Section.model_validate({"token": {"env": "TOKEN"}}).token.reveal() == "hush"


def test_a_secret_is_read_from_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "twilio").write_text("hush")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Section.model_validate({"token": {"credential": "twilio"}}).token.reveal() == "hush"


def test_a_credential_that_cannot_be_looked_at_is_a_mistake_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For root no file is unreadable, but no file has a name of that length."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ValueError, match="cannot be read: File name too long"):
        Secret.resolve({"credential": "x" * 300})


def test_nobody_sees_it() -> None:
    section = Section.model_validate({"token": "hush"})
    shown = (
        f"{section} {section!r} {section.token} {section.token!r} {section.token:>20} "
        f"{section.model_dump()} {section.model_dump_json()} {vars(section)}"
    )
    assert "hush" not in shown
    assert "<secret>" in shown
    with pytest.raises(TypeError):
        pickle.dumps(section.token)
    with pytest.raises(TypeError):
        copy.copy(section.token)


def test_a_mistake_beside_it_does_not_show_it() -> None:
    with pytest.raises(ValidationError) as problem:
        Section.model_validate({"token": "hush", "number": "many", "more": "hush"})
    assert "hush" not in str(problem.value)


def test_two_secrets_are_compared_by_value() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a")}) == 1


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("hush\r\nX-Injected: 1", "control characters"),
        (7, "a secret is plain text, or one of"),
        (None, "a secret is plain text, or one of"),
        ([], "a secret is plain text, or one of"),
        ({}, "a secret is plain text, or one of"),
        ({"file": "/a", "env": "B"}, "a secret is plain text, or one of"),
        ({"fiel": "/a"}, "a secret is plain text, or one of"),
        ({"file": 7}, "a secret is plain text, or one of"),
        ({"env": ""}, "a secret is plain text, or one of"),
        ({"file": "relative"}, "must be absolute: 'relative'"),
        ({"file": "/nowhere/token"}, "/nowhere/token cannot be read: No such file"),
        ({"file": "/"}, "cannot be read"),
        ({"env": "PBX_BRIDGE_NOT_SET"}, "environment variable PBX_BRIDGE_NOT_SET is not set"),
        ({"credential": "twilio"}, "LoadCredential=twilio"),
    ],
)
def test_a_secret_that_cannot_be_found_says_why(
    written: object, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr("pbx_bridge.secret.CREDENTIALS", Path("/nowhere"))
    with pytest.raises(ValidationError, match=problem):
        Section.model_validate({"token": written})


def test_a_credential_may_be_a_file_of_a_folder_that_the_unit_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "pbx-bridge_twilio").write_text("hush\n")
    (tmp_path / "ami").write_text("other\n")
    assert Section.model_validate({"token": {"credential": "twilio"}}).token == Secret("hush")
    assert Section.model_validate({"token": {"credential": "ami"}}).token == Secret("other")


def test_outside_of_the_unit_a_credential_is_where_the_unit_has_it_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr("pbx_bridge.secret.CREDENTIALS", tmp_path)
    (tmp_path / "twilio").write_text("hush\n")
    assert Section.model_validate({"token": {"credential": "twilio"}}).token == Secret("hush")
    with pytest.raises(ValidationError, match="ami cannot be read: No such file"):
        Section.model_validate({"token": {"credential": "ami"}})


@pytest.mark.parametrize("name", ["../twilio", "..", "a/b"])
def test_a_credential_stays_in_its_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ValidationError, match="no name of a credential"):
        Section.model_validate({"token": {"credential": name}})


@pytest.mark.parametrize("content", [b"hush\xff\xfe", b"hush" * 9999, b"hush\nhush", b""])
def test_a_file_that_holds_no_secret_is_not_shown(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ValidationError) as problem:
        Section.model_validate({"token": {"file": str(file)}})
    assert "hush" not in str(problem.value)
    assert str(file) in str(problem.value)
