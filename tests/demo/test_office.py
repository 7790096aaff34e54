"""The demo's office: a configuration without a mistake, for a service that finds all it needs."""

from pathlib import Path

from pbx_bridge.clock import utc_now
from pbx_bridge.config import load
from pbx_bridge.demo.office import Office


async def test_its_configuration_has_the_page_on_loopback_and_is_nobody_elses(
    tmp_path: Path,
) -> None:
    async with Office.open(tmp_path, now=utc_now, more='\n[[webhooks]]\nname = "x"\n') as office:
        text = office.config.read_text()
        office.config.write_text(text.removesuffix('\n[[webhooks]]\nname = "x"\n'))
        config = load(office.config)
        assert office.config.stat().st_mode & 0o077 == 0
    assert text.endswith('[[webhooks]]\nname = "x"\n')
    assert config.web is not None
    assert config.web.listen == "127.0.0.1"
    assert config.pbx[0].port == office.pbx.port
    assert config.texting.enabled
