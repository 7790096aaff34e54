"""HTTP gateways that a test describes."""

from typing import Any

from pbx_bridge.core.delivery import Accepted
from pbx_bridge.gateways.http import Gateway, Settings
from tests.gateways.fakes import Request, Told, answer, message

#: With all that could break out of where it stands.
HOSTILE = "\"}],'\\ <b>&amp; {key}{to}\r\n\t%0a+#?=;\x00 Tschüß 😀 ../"
OK = answer(200, '{"status": "OK", "messages": [{"id": 77}]}')


def settings(**changes: Any) -> Settings:
    """Describe one that takes JSON."""
    values: dict[str, Any] = {"type": "http", "url": "http://127.0.0.1:9/send"}
    if not {"json", "form", "body"} & changes.keys():
        values["json"] = {"to": "{to}", "text": "{text}"}
    return Settings.model_validate(values | changes)


async def request_of(text: str = HOSTILE, to: str = "+15551234567", **changes: Any) -> Request:
    """Send a text, hostile by default, and give what reached the other side."""
    path = changes.pop("path", "/send")
    async with Told(OK).running() as server:
        async with Gateway(settings(url=server.url + path, **changes)) as gateway:
            assert isinstance(await gateway.send(message(body=text, to=to)), Accepted)
        (request,) = server.requests
    return request
