"""What is written down of a wish for texts or for none: once, with its evidence, and at once."""

from pathlib import Path

import pytest
from sqlalchemy import Connection

from pbx_bridge.clock import utc_now
from pbx_bridge.store import consents
from pbx_bridge.store.consents import ConsentKind
from pbx_bridge.web.consent import write_down
from tests.web.site import Site, site

NUMBER = "+12125550142"
OUT, IN = ConsentKind.OPT_OUT, ConsentKind.OPT_IN


async def written(page: Site, kind: ConsentKind, evidence: str) -> bool:
    def work(tx: Connection) -> bool:
        return write_down(tx, page.inside.endings, NUMBER, kind, evidence, now=utc_now(), by="ann")

    return await page.db.run(work)


@pytest.mark.parametrize(
    ("told", "news"),
    [
        ((OUT,), [True]),
        ((IN,), [False]),
        ((OUT, OUT, IN, IN, OUT), [True, False, True, False, True]),
    ],
)
async def test_only_news_is_written_down(
    tmp_path: Path, told: tuple[ConsentKind, ...], news: list[bool]
) -> None:
    async with site(tmp_path) as page:
        assert [await written(page, kind, f"word {n}") for n, kind in enumerate(told)] == news
        history = await page.db.read(lambda tx: consents.history(tx, NUMBER))
        kept = [(kind, f"word {n} (ann)") for n, kind in enumerate(told) if news[n]]
        assert [(one.kind, one.detail) for one in history] == kept
        is_out = await page.db.read(lambda tx: consents.opted_out(tx, NUMBER))
        assert (is_out is not None) == (told[-1] is OUT)
