"""Bad reloads under load: the old configuration stays, all of it, and whoever looks is told."""

import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.reliability.storm import Storm, seed_of, storm


def _broken(going: Storm) -> str:
    return f"{going.office.config.read_text()}\n[texting\n"


def _unknown_gateway(going: Storm) -> str:
    return going.office.config.read_text().replace(
        "[texting]\n", '[texting]\ngateways = ["nobody"]\n', 1
    )


def _unreadable_secret(going: Storm) -> str:
    text = going.office.config.read_text()
    secret = f'secret = "{going.pbx.secret}"'
    assert secret in text
    return text.replace(secret, f'secret = {{ file = "{going.office.folder / "nothing"}" }}')


def _unknown_key(going: Storm) -> str:
    return going.office.config.read_text().replace("[texting]\n", "[texting]\nsoon = true\n", 1)


def _no_file(going: Storm) -> None:
    going.office.config.unlink()


#: What is written, and what the log has to name.
MISTAKES: list[tuple[Callable[[Storm], str | None], str]] = [
    (_broken, "pbx-bridge.toml"),
    (_unknown_gateway, "nobody"),
    (_unreadable_secret, "nothing"),
    (_unknown_key, "soon"),
    (_no_file, "pbx-bridge.toml"),
]


async def test_bad_reloads_under_load_lose_and_double_nothing(
    tmp_path: Path, *, nightly: bool
) -> None:
    async with storm(tmp_path, seed_of(nightly=nightly), per_second=4) as going:
        good = going.office.config.read_text()
        reloads = 0
        async with going.callers.calling():
            service = await going.start()
            await service.told("pbx_up")
            for turn in range(200 if nightly else 10):
                wrong, named = MISTAKES[turn % len(MISTAKES)]
                written = wrong(going)
                if written is not None:
                    going.office.config.write_text(written)
                service.signal(signal.SIGHUP)
                reloads += 1
                told = await service.told("config_kept_old", times=reloads)
                assert named in told["problem"]
                going.office.config.write_text(good)
            # The old one is in force: texts go on.
            before = sum(entry["event"] == "message_accepted" for entry in service.log)
            await service.told("message_accepted", times=before + 2)
        assert await service.stops() == 0
        going.note(service)
        assert going.notes["config_reloaded"] == 0
        await going.settle()
    print(f"{reloads} bad reloads, {len(going.callers.missed)} missed")  # noqa: T201
    assert going.lost() == {}
    assert going.office.texts == Counter(going.callers.missed)


async def test_another_database_counts_from_the_next_start_and_says_so(tmp_path: Path) -> None:
    async with storm(tmp_path, 1, per_second=4) as going:
        good = going.office.config.read_text()
        async with going.callers.calling():
            service = await going.start()
            await service.told("message_accepted")
            other = tmp_path / "other.db"
            going.office.config.write_text(good.replace(str(going.database), str(other)))
            service.signal(signal.SIGHUP)
            assert (await service.told("config_reloaded"))["needs_restart"] == ["database"]
            accepted = sum(entry["event"] == "message_accepted" for entry in service.log)
            await service.told("message_accepted", times=accepted + 2)
            assert not other.exists()
            going.office.config.write_text(good)
        assert await service.stops() == 0
        await going.settle()
    assert going.lost() == {}
    assert going.office.texts == Counter(going.callers.missed)
