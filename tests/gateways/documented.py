"""What providers' documents say, as data in `presets/NAME.json`: requests, answers, webhooks.

`{host}`, `{secret}`, `{text}` and the like in it are filled when it is read. An entry's `source`
says which document it is from; `none` is our own addition.
"""

import base64
import json
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from pbx_bridge.core.delivery import Receipt
from pbx_bridge.gateways.http import Gateway, Settings
from pbx_bridge.ports import HookRequest, News, Surroundings
from tests.gateways import signing
from tests.gateways.fakes import answer

FOLDER = Path(__file__).parent / "presets"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
#: With all that could break out of where it stands; not in the GSM alphabet.
HOSTILE = "\"}],'\\ <b>&amp; {key}{to}\r\n\t%0a+#?=;&status=1 Tschüß 😀 ../"
TO = "+15551234567"


@cache
def _text(name: str) -> str:
    return (FOLDER / f"{name}.json").read_text(encoding="utf-8")


def told(name: str, host: str = "127.0.0.1:9", text: str = HOSTILE) -> dict[str, Any]:
    """Give what is documented about a preset."""
    values = {
        "host": host,
        "secret": signing.SECRET,
        "public_key": signing.PUBLIC_KEY,
        "to": TO,
        "to_digits": TO[1:],
        "to_nanp": TO[2:],
        "text": text,
        "ucs2_hex": text.encode("utf-16-be").hex(),
    }
    hook = signing.PUBLIC_URL
    if '"hook_token"' in _text(name):
        hook += f"/{signing.SECRET}"
    filled: dict[str, Any] = _filled(json.loads(_text(name)), values | {"hook_url": hook})
    return filled


def _filled(value: Any, values: dict[str, str]) -> Any:
    match value:
        case str():
            for name, text in values.items():
                if f"{{{name}}}" in value:
                    # Once, for a text may look like a placeholder.
                    before, _, after = value.partition(f"{{{name}}}")
                    return before + text + after
            if "{basic:" in value:
                before, _, user = value.partition("{basic:")
                pair = f"{user.removesuffix('}')}:{signing.SECRET}"
                return before + base64.b64encode(pair.encode()).decode()
            return value
        case dict():
            return {name: _filled(part, values) for name, part in value.items()}
        case list():
            return [_filled(part, values) for part in value]
        case _:
            return value


def gateway(name: str, office: dict[str, Any], hook_url: str = signing.PUBLIC_URL) -> Gateway:
    """Build the gateway of an office that uses the preset."""
    settings = Settings.model_validate({"type": "http", "preset": name} | office)
    around = Surroundings(name="test", now=lambda: signing.NOW, hook_url=hook_url)
    return Gateway(settings, around)


def answered(entry: dict[str, Any]) -> bytes:
    """Write the HTTP answer of an entry."""
    body = json.dumps(entry["json"]) if "json" in entry else entry["text"]
    return answer(entry["status"], body)


def called(entry: dict[str, Any]) -> HookRequest:
    """Give the webhook of an entry, not yet signed."""
    tail, method = entry.get("tail", ""), entry.get("method", "POST")
    query = tuple((name, value) for name, value in entry.get("query", ()))
    if "json" in entry:
        body = json.dumps(entry["json"], ensure_ascii=False, separators=(",", ":")).encode()
        kind = "application/json"
    else:
        body = urlencode(entry.get("form", {})).encode()
        kind = "application/x-www-form-urlencoded"
    return signing.request(body, tail=tail, method=method, query=query, content_type=kind)


def summary(news: News) -> dict[str, Any]:
    """Write news down as the entries do: what they say beyond the defaults."""
    plain = {
        field.name: value
        for field in fields(news)
        if (value := getattr(news, field.name)) != field.default
    }
    if isinstance(news, Receipt):
        plain["receipt"] = plain.pop("state").value
        if news.price is not None:
            plain["price"] = [str(news.price.amount), news.price.currency]
        if "blame" in plain:
            plain["blame"] = news.blame.value
    else:
        plain["reply"] = plain.pop("body")
        if news.sent_at is not None:
            plain["sent_at"] = news.sent_at.isoformat()
    return plain
