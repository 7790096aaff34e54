"""What [web] says of access."""

from datetime import timedelta

from pbx_bridge.config.web import Web
from pbx_bridge.web.access.origin import networks
from pbx_bridge.web.access.settings import access_settings


def test_everything_is_taken_over() -> None:
    web = Web.model_validate(
        {
            "public_url": "https://pbx.example.com/bridge/",
            "proxies": ["10.0.0.0/24"],
            "session_idle": "1h",
            "session_lifetime": "1d",
        }
    )
    settings = access_settings(web)
    assert (settings.url, settings.base) == ("https://pbx.example.com/bridge", "/bridge")
    assert settings.secure
    assert settings.origins == {"https://pbx.example.com"}
    assert settings.proxies == networks(["10.0.0.0/24"])
    assert (settings.idle, settings.lifetime) == (timedelta(hours=1), timedelta(days=1))
