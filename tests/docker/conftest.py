"""The images, built once, and the office of docker-compose.yml, started once.

    scripts/docker-engine .venv/bin/pytest tests/docker

Without DOCKER_HOST, which that script sets, the tests skip themselves: they start, stop and remove
the containers of this checkout, which on a developer's own engine may be in use.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from .compose import Composition, docker, inspect

#: What was measured, for the end of the run.
figures: dict[str, str] = {}
SERVICES = ("asterisk", "mail", "mosquitto", "pbx-bridge", "phones")
IMAGES = tuple(f"pbx-bridge-{service}" for service in SERVICES)
#: The text on the paper phone: its last line.
TEXT = r"╰─+╯"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if figures:
        terminalreporter.section("measured")
        for what, value in figures.items():
            terminalreporter.line(f"{what:48} {value}")


@pytest.fixture(scope="session")
def images() -> Iterator[Composition]:
    """A composition not yet started, its images built from the base and the package indexes."""
    if "DOCKER_HOST" not in os.environ:
        pytest.skip("no engine of our own: scripts/docker-engine .venv/bin/pytest tests/docker")
    begun = time.monotonic()
    composition = Composition()
    composition("--profile", "call", "build", "--quiet", timeout=1800)
    figures["docker compose build, nothing cached"] = f"{time.monotonic() - begun:.0f} s"
    for name in IMAGES:
        figures[f"image {name}"] = f"{inspect(name)['Size'] / 1e6:.0f} MB"
    figures["of these the base"] = f"{inspect('debian:forky-slim')['Size'] / 1e6:.0f} MB"
    yield composition
    docker("image", "rm", *IMAGES)


@pytest.fixture(scope="session")
def office(images: Composition) -> Iterator[Composition]:
    """The office after the words of the README, and the first text that came of them."""
    begun = time.monotonic()
    try:
        images("--profile", "call", "up", "--detach", "--no-build", timeout=180)
        images.awaited("pbx-bridge", TEXT, within=60)
        figures["docker compose up to the first text"] = f"{time.monotonic() - begun:.1f} s"
        yield images
    finally:
        images("--profile", "call", "down", "--volumes", "--timeout", "15")
