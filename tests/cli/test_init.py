"""`init`: each PBX, with questions and without, and what must not happen."""

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from pbx_bridge import enclosed
from pbx_bridge.config import load
from pbx_bridge.core.asterisk_conf import sections
from tests.sources.ami.fake import FakeAmi

Run = Callable[..., Result]
TREES = Path(__file__).parent.parent / "pbx_trees"
OFFICE = ("--office", "Miller & Sons", "--country", "US", "--timezone", "America/New_York")


@pytest.fixture
def init(command: Run, folder: Path) -> Run:
    """Run `init` for a configuration that is not there yet, in the folder."""
    (folder / "pbx-bridge.toml").unlink()

    def run(*arguments: str, typed: str = "") -> Result:
        return command("init", "-c", "pbx-bridge.toml", *arguments, typed=typed)

    return run


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[str], Path]:
    def copy(name: str) -> Path:
        return Path(shutil.copytree(TREES / name, tmp_path / name, symlinks=True))

    return copy


def secret(folder: Path) -> str:
    return (folder / "ami-secret").read_text().strip()


@pytest.mark.parametrize("name", sorted(path.name for path in TREES.iterdir() if path.is_dir()))
def test_each_pbx_gets_a_configuration_and_an_account(
    init: Run, folder: Path, tree: Callable[[str], Path], name: str
) -> None:
    root = tree(name)
    result = init("--root", str(root), *OFFICE, "--number", "(212) 555-0100", "--yes", "--install")
    assert result.exit_code == 0, result.output
    config = load(folder / "pbx-bridge.toml")
    assert config.office.own_numbers == ("+12125550100",)
    assert config.database.path == folder / "pbx-bridge.db"
    (pbx,) = config.pbx
    assert pbx.secret.reveal() == secret(folder)
    assert len(secret(folder)) >= 40
    assert secret(folder) not in result.output
    etc = "/usr/local/etc/asterisk" if name == "plain" else "/etc/asterisk"
    files = {
        f"/{path.relative_to(root)}": path.read_text() for path in (root / etc[1:]).rglob("*.conf")
        if path.exists()
    }  # fmt: skip
    (account,) = [one for one in sections(files, f"{etc}/manager.conf") if one.name == "pbxbridge"]
    assert account.get("secret") == secret(folder)
    assert account.every("permit") == ["127.0.0.1/255.255.255.255"]
    assert account.file in result.output
    assert 'on the PBX itself now run: asterisk -rx "manager reload"' in result.output


def test_once_more_changes_nothing_and_a_new_secret_replaces_the_old(
    init: Run, folder: Path, tree: Callable[[str], Path]
) -> None:
    root = tree("freepbx17")
    custom = root / "etc/asterisk/manager_custom.conf"
    before = custom.read_text()
    common = ("--root", str(root), "--install", "--yes", *OFFICE)
    init(*common)
    installed, first = custom.read_text(), secret(folder)
    assert installed.startswith(before)
    again = init("--root", str(root), "--install")
    assert "is there already and stays as it is" in again.output
    assert "manager_custom.conf has the account already" in again.output
    init(*common, "--force")
    assert (custom.read_text(), secret(folder)) == (installed, first)
    changed = init(*common, "--force", "--new-secret")
    assert secret(folder) != first
    assert custom.read_text() == installed.replace(first, secret(folder))
    copy = Path(f"{custom}.before-pbx-bridge")
    assert copy.read_text() == installed
    assert str(copy) in changed.output


def test_what_is_asked_is_asked_again_until_it_is_right(
    init: Run, folder: Path, tree: Callable[[str], Path]
) -> None:
    answers = ["", "Miller", "Nowhere/York", "Europe/London", "", "12", "020 7946 0000", "n"]
    result = init("--root", str(tree("debian")), typed="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    assert 'such as "America/New_York"' in result.output or "did you mean" in result.output
    assert "'12' is not a number of GB" in result.output
    office = load(folder / "pbx-bridge.toml").office
    assert (office.name, office.country, office.number) == ("Miller", "GB", "+442079460000")
    assert "put this into /etc/asterisk/manager.d/pbxbridge.conf" in result.output
    assert f"[pbxbridge]\nsecret = {secret(folder)}\n" in result.output


def test_files_are_for_their_owner_only(init: Run, folder: Path) -> None:
    init("--host", "127.0.0.1", "--yes", *OFFICE)
    for name in ("pbx-bridge.toml", "ami-secret"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600


def test_a_configuration_is_never_overwritten_unasked(command: Run, folder: Path) -> None:
    before = (folder / "pbx-bridge.toml").read_text()
    result = command("init", "-c", "pbx-bridge.toml", "--host", "127.0.0.1", "--yes", *OFFICE)
    assert result.exit_code == 2
    assert "--force replaces it" in result.stderr
    assert {path.name for path in folder.iterdir()} == {"pbx-bridge.toml"}
    forced = command("init", "-c", "pbx-bridge.toml", "--force", "--host", "::1", "--yes", *OFFICE)
    assert forced.exit_code == 0
    assert (folder / "pbx-bridge.toml.before-pbx-bridge").read_text() == before


def test_what_a_package_came_with_may_be_overwritten_until_somebody_changes_it(
    command: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = tmp_path / "packaged.toml"
    monkeypatch.setattr("pbx_bridge.installation.PACKAGED", packaged)
    common = ("-c", "pbx-bridge.toml", "--host", "127.0.0.1", "--yes", *OFFICE)
    packaged.write_text((folder / "pbx-bridge.toml").read_text() + "# as it came\n")
    assert command("init", *common).exit_code == 2
    packaged.write_text((folder / "pbx-bridge.toml").read_text())
    assert command("init", *common).exit_code == 0
    assert load(folder / "pbx-bridge.toml").office.name == "Miller & Sons"


def test_the_account_can_be_printed_by_itself(init: Run, command: Run, folder: Path) -> None:
    told = init("--host", "127.0.0.1", "--yes", *OFFICE).output
    assert secret(folder) not in told
    assert "pbx-bridge init --account prints it" in told
    printed = command("init", "--account", "--permit", "10.8.0.7", "--permit", "10.9.0.0/24").output
    (account,) = sections({"/a": printed}, "/a")
    assert account.name == "pbxbridge"
    assert account.get("secret") == secret(folder)
    assert account.every("permit") == ["10.8.0.7/255.255.255.255", "10.9.0.0/255.255.255.0"]


def test_the_reference_is_the_annotated_example(command: Run) -> None:
    assert command("init", "--reference").output == enclosed.reference()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--yes", "--country", "US"), "--office is needed"),
        (("--yes", *OFFICE, "--country", "UK"), "--country: not a country code; the United"),
        (("--yes", *OFFICE, "--timezone", "Mars"), "--timezone: not a time zone"),
        (("--yes", *OFFICE, "--host", "h", "--number", "12"), "--number: '12' is not a number"),
        (("--yes", *OFFICE, "--username", "a b"), "--username: 'a b' is no name"),
        (("--yes", *OFFICE, "--username", "general"), "--username: 'general' is no name"),
        (("--yes", *OFFICE, "--permit", "x"), "--permit: 'x' is no address or network"),
        (("--yes", *OFFICE, "--asterisk-etc", "/no"), "--asterisk-etc: there is no folder /no"),
        (("--yes", *OFFICE, "--install"), "--install: no Asterisk configuration was found"),
        (("--yes", *OFFICE), "--host is needed"),
    ],
)  # fmt: skip
def test_mistakes_leave_nothing_behind(
    init: Run, folder: Path, arguments: tuple[str, ...], said: str
) -> None:
    (folder / "empty").mkdir()
    result = init("--root", "empty", *arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(said)
    assert {path.name for path in folder.iterdir()} == {"empty"}


def test_an_account_made_by_hand_is_not_doubled(
    init: Run, folder: Path, tree: Callable[[str], Path]
) -> None:
    root = tree("debian")
    (root / "etc/asterisk/manager.d/mine.conf").write_text("[pbxbridge]\nsecret = x\n")
    result = init("--root", str(root), "--install", "--yes", *OFFICE)
    assert result.exit_code == 2
    assert "/etc/asterisk/manager.d/mine.conf has an account [pbxbridge]" in result.stderr
    assert not (folder / "pbx-bridge.toml").exists()
    other = init("--root", str(root), "--install", "--yes", "--username", "bridge", *OFFICE)
    assert other.exit_code == 0
    assert load(folder / "pbx-bridge.toml").pbx[0].username == "bridge"


def test_the_login_is_tried_once_the_account_is_there(
    command: Run, pbx: FakeAmi, folder: Path
) -> None:
    common = ("-c", "pbx-bridge.toml", "--force", "--host", "127.0.0.1", "--port", str(pbx.port))
    refused = command("init", *common, *OFFICE, typed="\ny\n")
    assert refused.exit_code == 1
    assert "WRONG  pbx office: " in refused.output
    assert "check username and secret" in refused.output
    pbx.secret = secret(folder)
    let_in = command("init", *common, *OFFICE, typed="\ny\n")
    assert f"ok     pbx office: login at 127.0.0.1:{pbx.port}" in let_in.output


def test_in_its_home_the_secret_is_a_credential(
    init: Run, command: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pbx_bridge.installation.HOME", folder)
    for module in ("pbx_bridge.cli.init", "pbx_bridge.secret"):
        monkeypatch.setattr(f"{module}.CREDENTIALS", folder / "credentials")
    assert init("--host", "127.0.0.1", "--yes", *OFFICE).exit_code == 0
    text = (folder / "pbx-bridge.toml").read_text()
    assert 'secret = { credential = "ami-secret" }' in text
    assert "[database]" not in text
    kept = (folder / "credentials" / "ami-secret").read_text().strip()
    assert f"secret = {kept}\n" in command("init", "--account").output
