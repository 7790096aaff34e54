"""Telephone numbers as gateways are handed them, and as they are kept out of what they say."""

import re

#: No gateway is handed anything else: not `whatsapp:…`, not a short code, not a header.
E164 = re.compile(r"\+[0-9]{5,15}", re.ASCII)
#: Longer runs of digits in a gateway's words are somebody's number.
NUMBER = re.compile(r"\+?[0-9]{7,}")
LONGEST_QUOTE = 200


def quoted(words: str) -> str:
    """Make a gateway's own words fit for log and listing: short, printable, numbers masked."""
    printable = "".join(letter if letter.isprintable() else " " for letter in words)
    return NUMBER.sub(lambda found: f"…{found[0][-3:]}", printable)[:LONGEST_QUOTE]
