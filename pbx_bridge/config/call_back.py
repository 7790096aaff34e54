"""`[pbx.call_back]`: how this PBX has a customer called back, a colleague's phone first."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from pbx_bridge.call_back import Settings
from pbx_bridge.config.ladder import Ring
from pbx_bridge.config.values import Name, Switch

_DEFAULTS = Settings(pbx="", dial=str)
#: What is dialled is one channel of the PBX: no second one (&), no options (commas).
_CHANNEL = re.compile(r"[A-Za-z0-9_]+/[A-Za-z0-9_@.:/+*#-]*\{extension\}[A-Za-z0-9_@.:/+*#-]*")


def _channel(written: str) -> str:
    if not _CHANNEL.fullmatch(written):
        raise ValueError(
            "not a channel of Asterisk with {extension} in it; such as"
            ' "PJSIP/{extension}" or "Local/{extension}@originate-skipvm"'
        )
    return written


class CallBackSettings(BaseModel):
    """Off unless the table is there."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    extension: Annotated[Name, AfterValidator(_channel)] = Field(
        default="PJSIP/{extension}",
        description="how a colleague's extension is rung",
        examples=["PJSIP/{extension}"],
    )
    context: Annotated[Name, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")] = Field(
        default=_DEFAULTS.context,
        description="the context of the dialplan in which your desk phones dial",
        examples=["from-internal"],
    )
    outside: Annotated[str, StringConstraints(pattern=r"^[0-9*#]{0,10}$")] = Field(
        default=_DEFAULTS.outside,
        description="what one dials first to get an outside line",
        examples=["9"],
    )
    ring: Ring = Field(
        default=_DEFAULTS.ring,
        description="how long to let the colleague's phone ring",
        examples=["25s"],
    )
    mark: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9 .-]{0,20}$")] = Field(
        default=_DEFAULTS.mark,
        description="what stands before the customer's name on the colleague's phone;"
        " letters and digits",
        examples=["Call back"],
    )
    show_line: Switch = Field(
        default=_DEFAULTS.show_line,
        description="whether to show the customer the number that was missed",
        examples=[True],
    )

    def settings(self, pbx: str) -> Settings:
        """Give how the PBX of that name is had call back."""
        return Settings(
            pbx=pbx,
            dial=lambda extension: self.extension.replace("{extension}", extension),
            context=self.context,
            outside=self.outside,
            ring=self.ring,
            mark=self.mark,
            show_line=self.show_line,
        )
