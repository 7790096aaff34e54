"""The connector against what HubSpot says of its API (data/README.md), served by Prism."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pbx_bridge import ports
from pbx_bridge.core.delivery import Accepted
from pbx_bridge.destinations._activity import Activity, activity_of
from pbx_bridge.destinations._book import Person
from pbx_bridge.destinations.hubspot import Destination, Settings
from tests.destinations.hubspots import FakeHubSpot
from tests.destinations.office import CALLER, HOSTILE, NOON, TOKEN, Clock, missed_call, reply
from tests.prism import Prism, mocking

DESCRIPTION = Path(__file__).parent / "data" / "hubspot.json"


@pytest.fixture(scope="module")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prism]:
    with mocking(DESCRIPTION, tmp_path_factory.mktemp("prism") / "log", "HubSpot") as running:
        yield running


def connector(url: str, **changes: Any) -> Destination:
    settings = Settings.model_validate({"token": TOKEN, "base_url": url} | changes)
    return Destination(settings, ports.Surroundings(now=Clock()))


def activities() -> list[Activity]:
    happenings = (missed_call(caller_name=HOSTILE), reply(body=HOSTILE))
    found = [activity_of(one, NOON.tzinfo, bodies=True) for one in happenings]  # type: ignore[arg-type]
    return [one for one in found if one is not None]


async def test_every_request_fits_the_description(prism: Prism) -> None:
    before = len(prism.verdicts())
    ann = Person(remote_id="512", kind="contacts")
    async with connector(prism.url, unique_property="pbx_id") as crm:
        assert await crm.status(CALLER) is None  # the description's example has another number
        crm._begun = NOON.replace(year=2000)
        for activity in activities():
            assert (await crm.add(activity)).remote_id
            crm._tried.clear()
            assert await crm.write(activity, ann)
            crm._made.clear()
            assert await crm.entry(activity, ann) == "512"  # the example
        assert "HubSpot shows us" in await crm.check()
    verdicts = prism.verdicts()[before:]
    assert len(verdicts) == 12
    assert set(verdicts) == {"good"}


async def test_searching_for_an_entry_fits_too(prism: Prism) -> None:
    before = len(prism.verdicts())
    async with connector(prism.url) as crm:
        for activity in activities():
            assert await crm.entry(activity, Person(remote_id="1", kind="contacts")) == ""
    assert prism.verdicts()[before:] == ["good", "good"]


async def test_an_entry_made_is_read_as_described(prism: Prism) -> None:
    async with connector(prism.url) as crm:
        crm._begun = NOON.replace(year=2000)
        crm._made[CALLER] = "512"
        assert isinstance(await crm.deliver(missed_call()), Accepted)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("contacts", {"phone": CALLER}),
        ("contacts", {"properties": {"phone": 12125550143}}),
        ("calls", {"properties": {}, "associations": [{"to": "1", "types": []}]}),
        ("contacts/search", {"filterGroups": [{"filters": [{"propertyName": "phone"}]}]}),
        ("contacts/search", {"filterGroups": [], "sorts": [{"propertyName": "x"}]}),
    ],
)
async def test_what_does_not_fit_is_refused(prism: Prism, path: str, body: Any) -> None:
    """Else the tests above would prove nothing."""
    before = len(prism.verdicts())
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{prism.url}/crm/v3/objects/{path}", json=body, headers=headers) as refused,
    ):
        assert refused.status >= 400
    assert prism.verdicts()[before:] == ["bad"]


def test_the_fake_gives_what_the_description_has() -> None:
    described = json.loads(DESCRIPTION.read_text())["components"]["schemas"]
    fake = FakeHubSpot()
    fake.know(CALLER)
    shown = fake.shown(fake.people[0])
    assert shown.keys() <= described["SimplePublicObject"]["properties"].keys()
    assert set(described["SimplePublicObject"]["required"]) <= shown.keys()
