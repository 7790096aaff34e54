"""Take pictures of every view, in light, in dark and on a phone, for docs/ and for whoever looks.

    python -m tests.browser.screenshots docs/screenshots [NAME ...]

The office is the demo's: weeks of recorded calls, and some under way. With names only those views.
"""

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Page

from pbx_bridge import logs
from pbx_bridge.core.roles import Role
from pbx_bridge.demo.people import SERVICE

from . import chromium
from .house import House, built

#: How a view is seen: the name of the picture ends with it.
WAYS: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True,
        "is_mobile": True,
    },
}  # fmt: skip
_DAYS = 27
#: A page has some hundred colours; more are only its letters' edges.
_COLOURS = 64
#: Olivia Brennan, who rang, was texted and wrote.
_CUSTOMER = "+12125550111"


@dataclass(frozen=True)
class View:
    """What is to be seen: a path with `{customer}` or `{call}` in it, for somebody of a role."""

    path: str
    role: Role | None = Role.ADMIN


VIEWS: dict[str, View] = {
    "login": View("/login", None),
    "today": View("/"),
    "missed": View("/missed"),
    "conversation": View("/conversation/{customer}"),
    "live": View("/live"),
    "calls": View("/calls"),
    "explain": View("/calls/{call}"),
    "contacts": View("/contacts"),
    "rules": View("/rules"),
    "deliveries": View("/deliveries?show=failed"),
    "figures": View("/figures"),
    "setup": View("/setup"),
    "people": View("/people"),
    "profile": View("/me"),
}


async def taken(folder: Path, wanted: Mapping[str, View]) -> None:
    """Take the pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pbx-bridge-pictures-") as place:
        async with (
            chromium.running() as browser,
            built(Path(place), browser, hostile=False, past_days=_DAYS) as house,
        ):
            about = await _about(house)
            async with asyncio.TaskGroup() as tasks:
                calling = tasks.create_task(_calls(house))
                for name, view in wanted.items():
                    for way, options in WAYS.items():
                        await _picture(house, view, about, options, folder / f"{name}-{way}.png")
                calling.cancel()


async def _about(house: House) -> dict[str, str]:
    """Have a customer call, be texted and write; give what stands in the paths."""
    await house.call(
        _CUSTOMER, "OLIVIA BRENNAN", how="voicemail_message", pace=3.0, speed=1.0, line=SERVICE
    )
    await house.texted(_CUSTOMER)
    await house.office.carrier.writes(
        _CUSTOMER, "Hi! The oven is cold again. Can you come before 6?"
    )
    return {"customer": _CUSTOMER, "call": str(await house.row_of_call(_CUSTOMER))}


async def _calls(house: House) -> None:
    """Keep some calls under way, for the view of them."""

    async def one(number: str, name: str, how: str) -> None:
        while True:
            await house.call(number, name, how=how, pace=30.0, speed=1.0)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one("+19145550118", "RAY SANTOS", "answered"))
        tasks.create_task(one("+17185550124", "WIRELESS CALLER", "no_answer"))
        tasks.create_task(one("+16465550112", "MARCUS WEBB", "queue_abandoned"))


async def _picture(
    house: House, view: View, about: Mapping[str, str], options: Mapping[str, Any], path: Path
) -> None:
    watched, page = await house.visit(view.role, reduced_motion="reduce", **options)
    answer = await page.goto(view.path.format_map(about))
    assert answer is not None
    assert answer.status == 200, (view.path, answer.status)
    await _ready(page)
    path.write_bytes(small(await page.screenshot()))
    print(path, path.stat().st_size)  # noqa: T201 - who takes pictures looks on
    await watched.close()


async def _ready(page: Page) -> None:
    await page.evaluate("document.fonts.ready.then(() => scrollTo(0, 0))")


def small(picture: bytes) -> bytes:
    """Make a picture smaller: few colours, no dithering, which letters would suffer from."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    reduced = image.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    out = BytesIO()
    reduced.save(out, "PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    logs.configure("warning", "console")
    names = sys.argv[2:] or list(VIEWS)
    asyncio.run(taken(Path(sys.argv[1]), {name: VIEWS[name] for name in names}))
