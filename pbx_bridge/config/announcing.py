"""[announce]: what other programs in the house are told by MQTT."""

from pydantic import Field

from pbx_bridge import broker
from pbx_bridge.config.values import Switch


class Announcing(broker.Settings):
    """Where to announce, and what. Off unless the table is there."""

    prefix: str = Field(
        default="pbxbridge",
        min_length=1,
        max_length=500,
        pattern=r"^[^$+#/\x00][^+#\x00]*$",
        description="what all topics begin with",
        examples=["pbxbridge"],
    )
    bodies: Switch = Field(
        default=False,
        description="whether replies are published with their words",
        examples=[False],
    )
