"""What the service is made of, as the configuration says: each part from its section."""

import random
from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

from pbx_bridge.alerts.alerter import Targets
from pbx_bridge.announcer import Announcer
from pbx_bridge.backups import Schedule
from pbx_bridge.config import Config, Pbx
from pbx_bridge.core.alerting import Pace
from pbx_bridge.core.office import Rules
from pbx_bridge.core.tracker import CallTracker
from pbx_bridge.ports import Gateway
from pbx_bridge.sources.ami.on_demand import OnDemandPbx
from pbx_bridge.store import calls
from pbx_bridge.store.db import Database, Keeping

#: A trunk that brought no call for so long is no longer known as one by experience.
TRUNKS_SINCE = timedelta(days=30)


def targets(config: Config, gateways: Mapping[str, Gateway]) -> Targets:
    """Give whom to tell of what; without [alerts] nobody of anything."""
    office, zone = config.office.name, config.office.timezone
    if config.alerts is not None:
        return config.alerts.targets(office, zone, gateways)
    return Targets(
        office=office, zone=zone, everyday=(), on_call=(), kinds=frozenset(), pace=Pace()
    )


def controls(config: Config, stack: AsyncExitStack) -> dict[str, OnDemandPbx]:
    """Give the PBXs that may be acted on, by name; they connect when somebody does."""
    accesses = [(pbx.name, pbx.control_access()) for pbx in config.pbx]
    controls = {name: OnDemandPbx(access) for name, access in accesses if access is not None}
    for control in controls.values():
        stack.callback(control.close)
    return controls


def keeping(config: Config) -> Keeping:
    folder = config.backups.beside(config.database.path)
    return Keeping(folder=folder, keep=config.backups.keep)


def backup_schedule(config: Config) -> Schedule:
    return Schedule(
        folder=config.backups.beside(config.database.path),
        every=config.backups.every,
        keep=config.backups.keep,
    )


def work_out_hours(rules: Rules, now: datetime) -> None:
    """Have this year's hours worked out now: the first call would wait a fifth of a second."""
    for schedule in (rules.hours.office, *rules.hours.lines.values()):
        schedule.is_open(now)


def announcer(config: Config) -> Announcer | None:
    settings = config.announce
    if settings is None:
        return None
    return Announcer(settings, prefix=settings.prefix, bodies=settings.bodies, chance=random.random)


async def tracker(db: Database, pbx: Pbx, now: datetime) -> CallTracker:
    """Make a tracker that knows the trunks of the last weeks."""
    since = now - TRUNKS_SINCE
    return CallTracker(pbx.inbound(), await db.read(lambda tx: calls.trunks(tx, pbx.name, since)))
