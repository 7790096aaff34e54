"""TLS as a configuration has it: always verified, perhaps against certificates of the office's own.

tls = true
tls = { ca = "/etc/pbx-bridge/pbx-ca.pem" }
"""

import ssl
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
)


def context(ca: Path | None) -> ssl.SSLContext:
    """Give a context that verifies the other side's certificate and name.

    Raises:
        OSError: there are no certificates in `ca` (`ssl.SSLError` is one).

    """
    return ssl.create_default_context(cafile=ca)


def _usable(ca: Path, info: ValidationInfo) -> Path:
    ca = Path((info.context or {}).get("folder", ".")) / ca.expanduser()
    try:
        context(ca)
    except OSError as error:
        raise ValueError(f"no certificates there: {error.strerror}; a PEM file") from error
    return ca


CaFile = Annotated[Path, AfterValidator(_usable)]
"""Certificates to trust (PEM); a relative path starts at the folder of the configuration file."""


class Tls(BaseModel):
    """The other side's certificate is always verified, against its host name."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    ca: CaFile | None = Field(
        default=None,
        description="certificates to trust (PEM) instead of the system's",
        examples=["/etc/pbx-bridge/pbx-ca.pem"],
    )

    def context(self) -> ssl.SSLContext:
        """Give a context that verifies the other side's certificate and name."""
        return context(self.ca)


def _a_table(value: Any) -> Any:
    if value is True:
        return {}
    if value is False:
        return None
    if not isinstance(value, dict):
        raise ValueError('neither true, false nor a table; such as { ca = "/etc/ssl/pbx-ca.pem" }')  # noqa: TRY004 - pydantic collects ValueError
    return value


OptionalTls = Annotated[Tls | None, BeforeValidator(_a_table)]
"""`true` is a table with all defaults, `false` none."""
