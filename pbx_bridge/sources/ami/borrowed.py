"""PBXs to act on where no service watches them: for `check` and `send-test`."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager

from pbx_bridge.ports import Pbx
from pbx_bridge.sources.ami.on_demand import OnDemandPbx
from pbx_bridge.sources.ami.source import AmiAccess


@asynccontextmanager
async def borrowed(accesses: Iterable[AmiAccess]) -> AsyncIterator[Mapping[str, Pbx]]:
    """Give PBXs by their names, for as long as the context lasts."""
    pbxs = {access.name: OnDemandPbx(access) for access in accesses}
    try:
        yield pbxs
    finally:
        for pbx in pbxs.values():
            pbx.close()
