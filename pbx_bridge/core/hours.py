"""When the office is there."""

from enum import StrEnum


class Track(StrEnum):
    """In what sort of time a call came. The first that fits, from below to above."""

    IN_HOURS = "in_hours"
    AFTER_HOURS = "after_hours"  #: on a day on which the office opens, before or after that
    WEEKEND = "weekend"  #: a day of the week on which it never opens
    HOLIDAY = "holiday"  #: a public holiday, or a day on which it is closed for once
    PHONES_DOWN = "phones_down"  #: it is there, but no phone could be reached
