"""The demo's office in a folder that is thrown away: configuration, PBX, carrier and some weeks.

async with Office.open(folder) as office:
    await office.remember(days.plan(…))
    app.run(office.config)           # the service itself, here or in another process
    await office.pbx.play(…)
"""

import random
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection

from pbx_bridge.config import load
from pbx_bridge.core.roles import Role
from pbx_bridge.demo.carrier import Carrier
from pbx_bridge.demo.days import Planned
from pbx_bridge.demo.past import Past
from pbx_bridge.demo.pbx import PlayedPbx
from pbx_bridge.demo.people import OFFICE, SALES, SERVICE, STAFF, people
from pbx_bridge.ports import Clock
from pbx_bridge.store import accounts
from pbx_bridge.store.db import Database
from pbx_bridge.web.access import links

DATABASE = "demo.db"
_ZONE = "America/New_York"
_TECHNICIAN = (
    "Hello, this is {office}. We are closed until {next_open|morning}, and a technician calls you"
    " first thing then. Reply URGENT if it cannot wait, STOP to opt out."
)


@dataclass
class Office:
    """What is around the service: a folder, a PBX and a carrier, all on this machine."""

    folder: Path
    pbx: PlayedPbx
    carrier: Carrier

    @property
    def config(self) -> Path:
        return self.folder / "pbx-bridge.toml"

    @property
    def database(self) -> Path:
        return self.folder / DATABASE

    @property
    def spool(self) -> Path:
        return self.folder / "voicemail"

    @classmethod
    @asynccontextmanager
    async def open(
        cls, folder: Path, *, now: Clock, port: int = 0, more: str = ""
    ) -> AsyncIterator["Office"]:
        """Open it with the page at `port` of loopback (0: any that is free).

        `more` is put at the end of the configuration.
        """
        secret = secrets.token_urlsafe(16)
        pbx, carrier = PlayedPbx(secret=secret, now=now), Carrier()
        hooks = free_port()
        carrier.hooks = f"http://127.0.0.1:{hooks}/hooks/carrier"
        async with pbx.running(), carrier.running():
            office = cls(folder, pbx, carrier)
            office.spool.mkdir()
            office.config.write_text(
                office._settings(secret, hooks=hooks, port=port or free_port()) + more,
                encoding="utf-8",
            )
            office.config.chmod(0o600)  # it has the secrets of what is played
            yield office

    async def remember(self, calls: list[Planned], until: datetime, seed: int = 6) -> None:
        """Let these calls have happened, with all that followed, before the service starts."""
        config = load(self.config)
        chance = random.Random(seed)  # noqa: S311 - made-up calls, the same each time
        async with Database.open(config.database.path) as db:
            await Past(db, config, people(), chance).live(calls, until)

    async def hire(self, now: datetime) -> dict[str, str]:
        """Make those who work here users of the page; give each one's one-time link by name.

        The first is an administrator, the second an agent, the third only looks on.
        """
        web = load(self.config).web
        assert web is not None  # noqa: S101 - it stands in the configuration below
        url = f"http://{web.listen}:{web.port}"
        secrets_by_name: dict[str, str] = {}

        def make(tx: Connection) -> None:
            for (name, extension), role in zip(STAFF.items(), reversed(Role), strict=True):
                user = accounts.add(
                    tx, name=name, role=role, now=now, display_name=name.capitalize()
                )
                assert user is not None  # noqa: S101 - hired once
                accounts.change(tx, user.row_id, extension=extension)
                secrets_by_name[name] = links.another_password(tx, user, created_by="demo", now=now)

        async with Database.open(self.database) as db:
            await db.run(make)
        return {name: links.address(url, secret) for name, secret in secrets_by_name.items()}

    def _settings(self, secret: str, *, hooks: int, port: int) -> str:
        return f"""\
# The demo's office: everything it talks to is played, on this machine.
[office]
name = "{OFFICE}"
country = "US"
timezone = "{_ZONE}"
number = "{SALES}"
own_numbers = ["{SALES}", "{SERVICE}"]

[texting]
enabled = true
gateways = ["carrier"]
last_resort = "printer"
delay = "3s"
max_per_hour = 100

# The demo is played at any hour.
[texting.quiet_hours]
enabled = false
[texting.burst]
enabled = false

[spending]
max_per_day = 5

[[lines]]
number = "{SALES}"
name = "Sales"
[[lines]]
number = "{SERVICE}"
name = "Service"

[hours]
open = "Mon-Fri 8:00-17:00; Sat 8-12"

[[rules]]
name = "suppliers"
tags = ["supplier"]
then = "nothing"
because = "Ben calls suppliers back himself"

[[rules]]
name = "customers after hours"
hours = ["after_hours", "weekend", "holiday"]
callers = ["customer"]
then = "technician"

[sequences.technician]
steps = [
  {{ text = "{_TECHNICIAN}" }},
  {{ task = "Call {{caller_name|the caller}} back first thing", due_in = "2h", owner = "ben" }},
]

[[pbx]]
name = "office"
port = {self.pbx.port}
username = "pbx-bridge"
secret = "{secret}"
[pbx.voicemail]
spool = "{self.spool}"

{self.carrier.gateway_table("carrier")}
[gateways.printer]
type = "console"

[hooks]
port = {hooks}
public_url = "https://demo.invalid/bridge"

[web]
port = {port}

[logging]
level = "warning"

[database]
path = "{self.database}"
"""


def free_port() -> int:
    """Find a port of loopback that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
