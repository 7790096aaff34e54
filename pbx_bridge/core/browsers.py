"""What a browser calls itself, in two words; it may say what it likes, so nothing hangs on it."""

#: The first that is found; each also claims to be those after it.
_PROGRAMS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "Chromebook"),
    ("Mac OS X", "Mac"),
    ("Linux", "Linux"),
)


def browser_name(agent: str) -> tuple[str, str]:
    """Give program and system of a User-Agent header; empty what is not known."""
    return (
        next((name for mark, name in _PROGRAMS if mark in agent), ""),
        next((name for mark, name in _SYSTEMS if mark in agent), ""),
    )
