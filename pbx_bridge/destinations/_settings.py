"""What every connector's section of the configuration has."""

from typing import Annotated

from pydantic import Field

from pbx_bridge.gateways._values import Table

#: An API's name of a field: it stands in queries, so nothing else may.
FieldName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")]
#: The same, or one of a related record: `Account.Type`.
FieldPath = Annotated[
    str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}(\.[A-Za-z][A-Za-z0-9_]{0,99})?$")
]
Place = Annotated[str, Field(pattern=r"^https?://[^/?#@\s]+$")]


class Common(Table):
    create: bool = Field(
        default=False,
        strict=True,
        description="whether to make a record of a caller whom the CRM does not know",
        examples=[True],
    )
    log_bodies: bool = Field(
        default=False,
        strict=True,
        description="whether the words of texts stand in the CRM, not only that there were some",
        examples=[False],
    )
    timeout: float = Field(
        default=6.0,
        ge=1,
        le=60,
        allow_inf_nan=False,
        description="seconds for one request",
        examples=[6.0],
    )
