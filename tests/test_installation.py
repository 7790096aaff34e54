"""Reading a PBX's files and writing ours, on a real file system."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from pbx_bridge import installation
from pbx_bridge.core.layout import Kind

TREES = Path(__file__).parent / "pbx_trees"
CUSTOM = "/etc/asterisk/manager_custom.conf"
MANAGER = "/etc/asterisk/manager.conf"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TREES / "freepbx16", tmp_path / "root", symlinks=True))


def test_a_link_into_the_web_folder_is_followed_within_the_root(root: Path) -> None:
    assert (root / "etc/asterisk/sip.conf").is_symlink()
    seen = installation.look(root, None)
    assert seen is not None
    assert "oldcarrier" in {one.name for one in seen.layout.endpoints}


def test_links_in_a_circle_and_to_nothing_are_no_files(root: Path) -> None:
    (root / "etc/asterisk/circle.conf").symlink_to("circle.conf")
    (root / "etc/asterisk/gone.conf").symlink_to("/nowhere")
    seen = installation.look(root, None)
    assert seen is not None
    assert "/etc/asterisk/gone.conf" not in seen.files
    assert seen.unreadable == ("/etc/asterisk/circle.conf",)


def test_text_that_is_not_utf8_is_read_all_the_same(root: Path) -> None:
    (root / "etc/asterisk/iax_additional.conf").write_bytes(b"[M\xfcller]\ntype=peer\nhost=a.b\n")
    seen = installation.look(root, None)
    assert seen is not None
    assert "M\ufffdller" in {one.name for one in seen.layout.endpoints}


def test_where_there_is_no_pbx_none_is_seen(tmp_path: Path) -> None:
    assert installation.look(tmp_path, None) is None
    assert installation.look(tmp_path, "/srv/asterisk") is None


def test_an_unusual_folder_can_be_named(tmp_path: Path) -> None:
    shutil.copytree(TREES / "debian/etc/asterisk", tmp_path / "srv/ast")
    seen = installation.look(tmp_path, "/srv/ast/")
    assert seen is not None
    assert seen.layout.kind is Kind.ASTERISK
    assert seen.layout.account_file == "/srv/ast/manager.d/pbxbridge.conf"


def test_a_file_keeps_its_owner_rights_and_what_it_was(root: Path) -> None:
    path = root / CUSTOM[1:]
    path.write_bytes(b"; M\xfcller\n")
    path.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(path, 1234, 2345)
    os.utime(path, (1, 1))
    before = installation.read(root, CUSTOM)
    copy = installation.rewrite(root, CUSTOM, before + "[a]\n", like=MANAGER)
    assert path.read_bytes() == b"; M\xfcller\n[a]\n"
    assert copy is not None
    assert copy.read_bytes() == b"; M\xfcller\n"
    for file in (path, copy):
        found = file.stat()
        assert stat.S_IMODE(found.st_mode) == 0o664
        if os.geteuid() == 0:
            assert (found.st_uid, found.st_gid) == (1234, 2345)
    assert path.stat().st_mtime > 1000  # or Asterisk would not read it again
    assert not list(path.parent.glob(".*"))


def test_a_new_file_is_protected_as_its_neighbour(root: Path) -> None:
    (root / MANAGER[1:]).chmod(0o640)
    assert installation.read(root, "/etc/asterisk/new.conf") == ""
    assert installation.rewrite(root, "/etc/asterisk/new.conf", "x", like=MANAGER) is None
    assert stat.S_IMODE((root / "etc/asterisk/new.conf").stat().st_mode) == 0o640


def test_a_link_stays_a_link(root: Path) -> None:
    installation.rewrite(root, "/etc/asterisk/sip.conf", "x", like=MANAGER)
    assert (root / "etc/asterisk/sip.conf").is_symlink()
    assert (root / "var/www/html/admin/modules/core/etc/sip.conf").read_text() == "x"


def test_what_cannot_be_written_leaves_all_as_it_was(root: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        installation.rewrite(root, "/etc/asterisk/no/folder.conf", "x", like=MANAGER)
    with pytest.raises(UnicodeEncodeError):
        installation.rewrite(root, CUSTOM, "\ud800", like=MANAGER)
    assert "wallboard" in installation.read(root, CUSTOM)
    assert not list((root / "etc/asterisk").glob(".*"))


def test_a_configuration_is_for_its_owner_and_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "pbx-bridge.toml"
    assert installation.keep(path, "one") is None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    copy = installation.keep(path, "two")
    assert copy is not None
    assert (path.read_text(), copy.read_text()) == ("two", "one")


def test_in_its_home_the_services_group_may_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to a group")
    monkeypatch.setattr(installation, "HOME", tmp_path)
    monkeypatch.setattr(installation, "GROUP", "nogroup")
    path = tmp_path / "pbx-bridge.toml"
    installation.keep(path, "x")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.group() == "nogroup"


def test_a_secret_is_for_its_owner_in_a_folder_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "credentials" / "ami-secret"
    installation.keep_secret(path, "hunter2")
    assert path.read_text() == "hunter2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ('test "$*" = "-C /srv/ast/asterisk.conf -rx manager reload"', None),
        ("echo Unable to connect; exit 1", "Unable to connect"),
    ],
)
def test_asterisk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, problem: str | None
) -> None:
    program = tmp_path / "asterisk"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert installation.reload_manager("/srv/ast") == problem


def test_without_asterisk_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    if shutil.which("asterisk", path="/usr/sbin:/usr/local/sbin"):
        pytest.skip("this machine has an Asterisk")
    assert installation.reload_manager("/srv/ast") == "there is no asterisk command here"


def test_the_time_zone_of_a_machine(tmp_path: Path) -> None:
    assert installation.time_zone(tmp_path) is None
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/timezone").write_text("Europe/Zurich\n")
    assert installation.time_zone(tmp_path) == "Europe/Zurich"
    (tmp_path / "etc/localtime").symlink_to("../usr/share/zoneinfo/America/New_York")
    assert installation.time_zone(tmp_path) == "America/New_York"


@pytest.mark.parametrize(
    ("zone", "country"),
    [("America/New_York", "US"), ("Europe/Berlin", "DE"), ("Etc/UTC", None), ("UTC", None)],
)
def test_the_country_of_a_zone(zone: str, country: str | None) -> None:
    assert installation.country_of(zone) == country


def test_the_address_towards_a_pbx() -> None:
    assert installation.address_towards("127.0.20.1", 5038) == "127.0.0.1"
    assert installation.address_towards("host.invalid", 5038) is None
