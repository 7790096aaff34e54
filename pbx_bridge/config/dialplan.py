"""`[pbx.dialplan]`: which of the snippets in asterisk-conf/snippets this PBX's dialplan uses."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pbx_bridge.config.values import Age, Switch
from pbx_bridge.core.astdb import Keeping

#: With fewer, numbers of different people end alike; more has no number in E.164.
FEWEST_DIGITS, MOST_DIGITS = 6, 15


class DialplanSettings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    consent: Switch = Field(
        default=False,
        description="whether to take consent by a key, as snippets/consent.conf tells it",
        examples=[True],
    )
    missed_first: Switch = Field(
        default=False,
        description="whether to tell the PBX who was missed, for snippets/missed-first.conf",
        examples=[True],
    )
    last_colleague: Switch = Field(
        default=False,
        description="whether to tell the PBX who spoke with whom, for snippets/last-colleague.conf",
        examples=[True],
    )
    we_will_text: Switch = Field(
        default=False,
        description="whether to tell the PBX that we text, for snippets/we-will-text.conf",
        examples=[True],
    )
    keep: Age = Field(
        default=timedelta(days=7),
        description="how long after a call the PBX knows of it",
        examples=["7d"],
    )
    digits: Annotated[int, Field(strict=True, ge=FEWEST_DIGITS, le=MOST_DIGITS)] = Field(
        default=9,
        description="by how many digits at the end of a number the dialplan knows it",
        examples=[9],
    )

    def keeping(self) -> Keeping:
        """Give what the AstDB of this PBX is to hold of ours."""
        return Keeping(
            missed=self.missed_first,
            last=self.last_colleague,
            texting=self.we_will_text,
            keep=self.keep,
            digits=self.digits,
        )
