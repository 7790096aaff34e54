"""A value that must never be seen: passwords, tokens, keys.

In the configuration it stands as plain text or, better, as where to find it::

    auth_token = { credential = "twilio" }   # systemd: LoadCredential=twilio:/etc/…
    auth_token = { file = "/etc/pbx-bridge/twilio.token" }
    auth_token = { env = "TWILIO_TOKEN" }
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

HIDDEN = "<secret>"
#: A secret is short; a larger file is a wrong path.
LARGEST = 16384
#: Where our systemd unit has its credentials from; commands run outside of it look here.
CREDENTIALS = Path("/etc/pbx-bridge/credentials")
#: Its LoadCredential=pbx-bridge:FOLDER names each file of the folder `pbx-bridge_FILE`
#: (systemd.exec(5)).
UNIT = "pbx-bridge"


class Secret:
    """A secret, found when the configuration is read. Only `reveal` shows it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    @classmethod
    def resolve(cls, written: object) -> "Secret":
        """Find the secret that the configuration names.

        Raises:
            ValueError: none can be found; the text says where it was looked for, and never shows
                what was found.

        """
        match written:
            case Secret():
                return written
            case str():
                return cls(_single_line(written, "the secret"))
            case Mapping() if len(written) == 1:
                ((kind, name),) = written.items()
                if kind in FINDERS and isinstance(name, str) and name:
                    return cls(FINDERS[kind](name))
        raise ValueError(
            'a secret is plain text, or one of { file = "/path" }, { env = "NAME" }, '
            '{ credential = "name" }'
        )

    def reveal(self) -> str:
        """Give the secret itself, for the one who needs it."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(HIDDEN, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls.resolve,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda _: HIDDEN),
        )


def _single_line(text: str, where: str) -> str:
    value = text.strip()
    if not value:
        raise ValueError(f"{where} is empty")
    if not value.isprintable():  # it would break an HTTP header, or is no text at all
        raise ValueError(f"{where} has line breaks or other control characters")
    return value


def _from_file(name: str) -> str:
    path = Path(name)
    if not path.is_absolute():
        raise ValueError(f"the path of a secret must be absolute: {name!r}")
    return _read(path)


def _from_environment(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise ValueError(f"the environment variable {name} is not set")
    return _single_line(value, f"the environment variable {name}")


def _from_credential(name: str) -> str:
    if "/" in name or name in {".", ".."}:
        raise ValueError(f"{name!r} is no name of a credential")
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder:
        of_a_folder = Path(folder) / f"{UNIT}_{name}"
        return _read(of_a_folder if _is_there(of_a_folder) else Path(folder) / name)
    if not CREDENTIALS.is_dir():
        raise ValueError(
            f"the credential {name!r} needs LoadCredential={name}:/path in the systemd unit "
            f"(CREDENTIALS_DIRECTORY is not set), or a file of that name in {CREDENTIALS}"
        )
    return _read(CREDENTIALS / name)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # not to be looked at: whoever reads it says why
        return False


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ValueError(f"the secret {path} cannot be read: {error.strerror}") from error
    if len(content) > LARGEST:
        raise ValueError(f"{path} is too large for a secret")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        # Not chained: that error shows the content.
        raise ValueError(f"{path} is not text") from None
    return _single_line(text, str(path))


FINDERS: Mapping[object, Callable[[str], str]] = {
    "file": _from_file,
    "env": _from_environment,
    "credential": _from_credential,
}
