"""docs/webhooks.md shows what is told, and it is what is told."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pbx_bridge.core.happening import Happened
from pbx_bridge.core.samples import sample
from pbx_bridge.destinations.webhook import Webhook, WebhookSettings

DOCS = Path(__file__).parent.parent.parent / "docs" / "webhooks.md"
AT = datetime(2026, 11, 23, 19, 5, 42, 123000, UTC)


def documented() -> dict[str, str]:
    text = DOCS.read_text(encoding="utf-8")
    return dict(re.findall(r"^### ([\w.]+)\n.*?```json\n(.*?)```", text, re.MULTILINE | re.DOTALL))


def test_every_kind_is_documented() -> None:
    assert list(documented()) == [kind.value for kind in Happened]


@pytest.mark.parametrize("kind", Happened)
def test_the_documentation_shows_what_is_told(kind: Happened) -> None:
    settings = WebhookSettings(
        url="http://127.0.0.1/", keys=(b"k" * 24,), kinds=frozenset(Happened), words=True
    )
    body = Webhook(settings, lambda: AT).body(sample(kind, "k", AT))
    assert json.loads(body) == json.loads(documented()[kind])
    assert list(json.loads(body)["data"]) == list(json.loads(documented()[kind])["data"])


@pytest.mark.parametrize("kind", Happened)
def test_a_sample_is_of_its_kind(kind: Happened) -> None:
    made = sample(kind, "key", AT)
    assert (made.kind, made.key, made.at) == (kind, "key", AT)
