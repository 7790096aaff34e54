"""Where a form goes back to: the page that it was on, with its filters."""

import re

#: Only views of ours, and nothing that could be read as another host, or goes into no header.
_OURS = re.compile(
    r"/(?:[A-Za-z0-9+._~%-]+/)*[A-Za-z0-9+._~%-]*"
    r"(?:\?[^\s#\\\x00-\x1f\x7f-\x9f\ud800-\udfff]*)?"
    r"(?:#[a-z0-9-]*)?"
)
#: Longer than any filter.
_LONGEST = 500


def back(claimed: str, otherwise: str) -> str:
    """Give the path that a form claims to come from, if it is one of ours."""
    if len(claimed) <= _LONGEST and _OURS.fullmatch(claimed):
        return claimed
    return otherwise
