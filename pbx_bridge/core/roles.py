"""What who uses the page may do."""

from enum import StrEnum


class Role(StrEnum):
    """A user's role; each may also do what those before it may."""

    VIEWER = "viewer"  #: looks
    AGENT = "agent"  #: also works on what is open: claims, replies, calls back
    ADMIN = "admin"  #: also changes rules, settings and people

    def may(self, needed: "Role") -> bool:
        """Tell whether whoever has this role may do what `needed` is asked for."""
        order = list(Role)
        return order.index(self) >= order.index(needed)
