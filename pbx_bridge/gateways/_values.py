"""Values in the documents of HTTP gateways: where they stand, and what an error code means."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from pbx_bridge.core.delivery import Blame, Price
from pbx_bridge.core.text import storable

MISSING = object()
#: Amounts and ids in a document are short.
LONGEST_SCALAR = 200
#: No text costs so much, in whatever currency.
MOST = 1_000_000


class Table(BaseModel):
    """A table of `[gateways.NAME]`; unknown keys are mistakes, values are never shown."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True
    )


def _regular_expression(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


Status = Annotated[int, Field(ge=100, le=599)]
Pattern = Annotated[str, AfterValidator(_regular_expression)]


class Meaning(Table):
    """What an error code means: a refusal that somebody is to blame for, or something else."""

    means: str  #: in plain words, for people
    blame: Blame = Blame.MESSAGE
    later: bool = False  #: certainly not sent; the same may work later
    unclear: bool = False  #: perhaps sent

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        blamed = "blame" in self.model_fields_set
        if blamed + self.later + self.unclear > 1:
            raise ValueError("give one of blame, later and unclear")
        return self


Errors = Mapping[str, Meaning]


class Cost(Table):
    """Where a gateway tells what a message cost."""

    path: str
    currency: str | None = Field(default=None, pattern="^[A-Z]{3}$")  #: ISO 4217
    currency_path: str | None = None
    per: int = Field(default=1, ge=1)  #: how many of what is told make one of the currency

    @model_validator(mode="after")
    def _in_one_currency(self) -> Self:
        if (self.currency is None) == (self.currency_path is None):
            raise ValueError("give either currency or currency_path")
        return self

    def of(self, document: Any) -> Price | None:
        """Read the price; None if there is none that makes sense."""
        told = scalar(document, self.path)
        currency = self.currency or scalar(document, self.currency_path or "")
        if re.fullmatch("[A-Z]{3}", currency) is None:
            return None
        try:
            amount = Decimal(told) / self.per
            sensible = 0 <= amount < MOST
        except ArithmeticError:  # no number, none that can be compared, or one beyond all bounds
            return None
        return Price(amount, currency) if sensible else None


def at_path(document: Any, path: str) -> Any:
    """Give what stands at a path such as `messages.0.id`, or MISSING."""
    for name in path.split("."):
        if isinstance(document, dict) and name in document:
            document = document[name]
        elif isinstance(document, list) and name.isascii() and name.isdigit():
            index = int(name[:9])
            if index >= len(document):
                return MISSING
            document = document[index]
        else:
            return MISSING
    return document


def text_at(document: Any, path: str | None) -> str | None:
    """Give the text or number at a path as a text, of whatever length; None if there is none."""
    found = at_path(document, path) if path is not None else MISSING
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return None
    return storable(str(found))


def scalar(document: Any, path: str | None) -> str:
    """Give the text or number at a path, cut to a sensible length; empty if there is none."""
    return (text_at(document, path) or "")[:LONGEST_SCALAR]
