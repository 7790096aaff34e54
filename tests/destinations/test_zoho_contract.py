"""The connector against what Zoho says of its API (data/README.md), served by Prism."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pbx_bridge import ports
from pbx_bridge.destinations._activity import activity_of
from pbx_bridge.destinations._book import Person
from pbx_bridge.destinations.zoho import Destination, Settings, calls_about
from tests.destinations.office import (
    CALLER,
    HOSTILE,
    NOON,
    SECRET,
    Clock,
    missed_call,
    reply,
    text,
)
from tests.destinations.zohos import FakeZoho
from tests.gateways.fakes import Told
from tests.prism import Prism, mocking

DESCRIPTION = Path(__file__).parent / "data" / "zoho.json"
CREATED = "5725767000000524157"  #: the description's example


@pytest.fixture(scope="module")
def prism(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prism]:
    with mocking(DESCRIPTION, tmp_path_factory.mktemp("prism") / "log", "Zoho") as running:
        yield running


def connector(accounts: str, api: str) -> Destination:
    settings = Settings.model_validate(
        {
            "accounts_url": accounts,
            "api_url": api,
            "client_id": "1000.APP",
            "client_secret": SECRET,
            "refresh_token": f"1000.{SECRET}",
            "unique_field": "PBX_Id",
            "leads": True,
        }
    )
    return Destination(settings, ports.Surroundings(now=Clock()))


@pytest.mark.parametrize("kind", ["Contacts", "Leads"])
async def test_every_request_fits_the_description(prism: Prism, kind: str) -> None:
    before = len(prism.verdicts())
    someone = Person(remote_id="4876876000005996165", kind=kind)
    happenings = (missed_call(caller_name=HOSTILE), reply(body=HOSTILE * 99), text("failed"))
    async with (
        Told(FakeZoho()).running() as accounts,
        connector(accounts.url, prism.url) as crm,
    ):
        assert await crm.status(CALLER) is None
        await crm._query(calls_about(NOON))
        for happening in happenings:
            activity = activity_of(happening, NOON.tzinfo, bodies=True)  # type: ignore[arg-type]
            assert activity is not None
            assert (await crm.add(activity)).remote_id == CREATED
            assert await crm.write(activity, someone) == CREATED
        assert "Zoho CRM shows us" in await crm.check()
    verdicts = prism.verdicts()[before:]
    assert len(verdicts) == 12
    assert set(verdicts) == {"good"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("coql", {"query": "select id from Contacts"}),
        ("coql", {"select_query": "x", "more": 1}),
        ("Contacts", {"Last_Name": "Lee"}),
        ("Notes", {"data": [{"Note_Title": "x" * 121}]}),
        ("Notes", {"data": [{"Note_Content": "x", "Parent_Id": {"id": "1"}}]}),
    ],
)
async def test_what_does_not_fit_is_refused(prism: Prism, path: str, body: Any) -> None:
    """Else the tests above would prove nothing."""
    before = len(prism.verdicts())
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{prism.url}/crm/v8/{path}", json=body) as refused,
    ):
        assert refused.status == 400
    assert prism.verdicts()[before:] == ["bad"]
