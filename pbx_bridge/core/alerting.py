"""What the office's own people are told, and how often: soon, but never in a storm."""

from enum import StrEnum


class AlertKind(StrEnum):
    """What has happened. An alert is grouped with others of its kind and subject."""

    MISSED_CALL = "missed_call"  #: subject: the line
    REPLY = "reply"  #: a customer wrote; subject: the number
    URGENT = "urgent"  #: a customer wrote URGENT; repeated until somebody takes it
    OPT_OUT = "opt_out"  #: a customer wants no more texts; subject: the number
    UNTEXTABLE = "untextable"  #: a missed caller cannot be texted, so call; subject: the number
    GATEWAY = "gateway"  #: a gateway refuses texts for a reason of its own; subject: the gateway
    CIRCUIT = "circuit"  #: a gateway is not used for a while, or again; subject: the gateway
    CREDENTIAL = "credential"  #: a gateway refuses our credentials; subject: the gateway
    CONTENT = "content"  #: a carrier took a text for spam; subject: the gateway
    LOOP = "loop"  #: a machine answers us; subject: the number
    SPENDING = "spending"  #: a spending limit was reached
    BURST = "burst"  #: too many texts at once: the burst breaker opened or closed
