"""`pbx-bridge demo`, as fast as it can."""

from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from pbx_bridge.demo import scenes

Run = Callable[..., Result]


def test_the_demo_shows_every_scene_a_text_and_the_list(command: Run, folder: Path) -> None:
    result = command("demo", "--speed", "50")
    assert result.exit_code == 0
    for scene in scenes():
        assert scene.what in result.stdout
    assert "this is Miller & Sons. Sorry that" in result.stdout
    assert "what became of them" in result.stdout
    assert "texted: accepted" in result.stdout
    assert "no: answered" in result.stdout
    assert {path.name for path in folder.iterdir()} == {"pbx-bridge.toml"}
