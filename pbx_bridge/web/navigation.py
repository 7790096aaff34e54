"""The views in the order in which an office needs them, and who sees which."""

from collections.abc import Iterator
from dataclasses import dataclass

from pbx_bridge.core.roles import Role


@dataclass(frozen=True, slots=True)
class Place:
    """A view in the navigation. `name` is English; templates translate it."""

    path: str
    name: str
    icon: str
    role: Role


def _(name: str) -> str:
    """Mark a text for translators; it is translated when it is shown."""
    return name


PLACES = (
    Place("/missed", _("Missed"), "missed", Role.VIEWER),
    Place("/live", _("Live"), "live", Role.VIEWER),
    Place("/calls", _("Calls"), "calls", Role.VIEWER),
    Place("/contacts", _("Contacts"), "contacts", Role.VIEWER),
    Place("/deliveries", _("Deliveries"), "deliveries", Role.VIEWER),
    Place("/figures", _("Figures"), "figures", Role.VIEWER),
    Place("/rules", _("Rules"), "rules", Role.VIEWER),
    Place("/setup", _("Setup"), "setup", Role.ADMIN),
)
#: What stands in the menu behind one's own name.
OWN = (
    Place("/me", _("My profile"), "person", Role.VIEWER),
    Place("/people", _("People"), "people", Role.ADMIN),
    Place("/tokens", _("API tokens"), "token", Role.ADMIN),
    Place("/audit", _("Audit log"), "audit", Role.ADMIN),
    Place("/api", _("API"), "api", Role.VIEWER),
)


def places(role: Role, among: tuple[Place, ...] = PLACES) -> Iterator[Place]:
    """Give the views that somebody of this role may see."""
    return (place for place in among if role.may(place.role))


def here(path: str) -> str:
    """Give the path of the view that a page belongs to; empty if to none."""
    return next(
        (place.path for place in PLACES if path == place.path or path.startswith(place.path + "/")),
        "",
    )
