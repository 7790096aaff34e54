"""Each PBX is known by its files: tests/pbx_trees, whose README says where their shape is from."""

from pathlib import Path

import pytest

from pbx_bridge import installation
from pbx_bridge.core.layout import Kind, Layout, folder_of, recognise
from pbx_bridge.core.tracker import INBOUND_CONTEXTS

TREES = Path(__file__).parent.parent / "pbx_trees"
ETC = "/etc/asterisk"


def layout(tree: str) -> Layout:
    seen = installation.look(TREES / tree, None)
    assert seen is not None
    assert seen.unreadable == ()
    return seen.layout


@pytest.mark.parametrize(
    ("tree", "kind", "account_file"),
    [
        ("freepbx16", Kind.FREEPBX, f"{ETC}/manager_custom.conf"),
        ("freepbx17", Kind.FREEPBX, f"{ETC}/manager_custom.conf"),
        ("issabel4", Kind.ISSABEL, f"{ETC}/manager_custom.conf"),
        ("issabel5", Kind.ISSABEL, f"{ETC}/manager_custom.conf"),
        ("vitalpbx4", Kind.VITALPBX, f"{ETC}/vitalpbx/manager__60-pbxbridge.conf"),
        ("debian", Kind.ASTERISK, f"{ETC}/manager.d/pbxbridge.conf"),
        ("plain", Kind.ASTERISK, "/usr/local/etc/asterisk/manager.conf"),
    ],
)
def test_what_it_is_and_where_the_account_belongs(tree: str, kind: Kind, account_file: str) -> None:
    found = layout(tree)
    assert (found.kind, found.account_file) == (kind, account_file)


@pytest.mark.parametrize(
    ("tree", "lines", "contexts", "trunks"),
    [
        (
            "freepbx16",
            {"voipcarrier": "from-pstn", "oldcarrier": "from-trunk-sip-oldcarrier"}
            | {"DAHDI/1": "from-analog"},
            (),
            (),
        ),
        ("freepbx17", {"voipcarrier": "from-pstn"}, (), ()),
        (
            "issabel4",
            {"carrier": "from-trunk-sip-carrier", "office-in": "carrier-incoming"},
            (*INBOUND_CONTEXTS, "^carrier-incoming$"),
            (),
        ),
        ("issabel5", {"carrier": "from-pstn"}, (), ()),
        ("vitalpbx4", {"carrier": "trk-1-in"}, (r"^trk-\d+-in$",), ()),
        ("debian", {"carrier": "incoming"}, ("^incoming$",), ()),
        ("plain", {"carrier": "default"}, (), ("carrier",)),
    ],
)
def test_where_calls_from_outside_begin(
    tree: str, lines: dict[str, str], contexts: tuple[str, ...], trunks: tuple[str, ...]
) -> None:
    found = layout(tree)
    assert {one.name: one.context for one in found.endpoints if one.is_line} == lines
    assert (found.proposal.contexts, found.proposal.trunks) == (contexts, trunks)


def test_ami_that_anybody_may_try_is_told() -> None:
    freepbx, debian = layout("freepbx17"), layout("debian")
    assert any("bindaddr = 0.0.0.0" in doubt for doubt in freepbx.doubts)
    assert freepbx.listening.address == "127.0.0.1"
    assert debian.doubts == ()


def test_ami_that_is_off_is_told() -> None:
    assert any(doubt.startswith("AMI is off") for doubt in layout("plain").doubts)


def test_what_is_no_phone_and_no_line_is_told() -> None:
    assert any("do not tell: door" in doubt for doubt in layout("plain").doubts)


def test_what_was_never_tried_is_told() -> None:
    assert any("probe" in doubt for doubt in layout("vitalpbx4").doubts)


def recognised(manager: str | None, *existing: str) -> Layout:
    files = {} if manager is None else {f"{ETC}/manager.conf": manager}
    return recognise(existing, files, ETC)


def test_a_folder_without_manager_conf() -> None:
    found = recognised(None)
    assert found.account_file == f"{ETC}/manager.conf"
    assert "there is no /etc/asterisk/manager.conf" in found.doubts[0]
    assert not found.listening.enabled


@pytest.mark.parametrize(
    ("general", "address", "port"),
    [
        ("", "127.0.0.1", 5038),
        ("bindaddr = 10.8.0.1\nport = 5039", "10.8.0.1", 5039),
        ("bindaddr = ::", "127.0.0.1", 5038),
        ("bindaddr = pbx.example", "pbx.example", 5038),
        ("port = 99999", "127.0.0.1", 5038),
        ("port = x", "127.0.0.1", 5038),
    ],
)
def test_where_ami_is_reached(general: str, address: str, port: int) -> None:
    listening = recognised(f"[general]\nenabled = yes\n{general}").listening
    assert (listening.enabled, listening.address, listening.port) == (True, address, port)


def test_an_absolute_include_is_where_it_says() -> None:
    assert recognised("#include /srv/ami/*.conf").account_file == "/srv/ami/pbxbridge.conf"


def test_without_trunks_there_is_something_to_find_out() -> None:
    assert any("no trunk was found" in doubt for doubt in recognised("[general]").doubts)


def test_the_usual_folder_comes_first() -> None:
    assert folder_of({"/opt/asterisk/etc/asterisk.conf", "/etc/asterisk/manager.conf"}) == ETC
    assert folder_of({"/opt/asterisk/etc/asterisk.conf"}) == "/opt/asterisk/etc"
    assert folder_of({"/etc/freepbx.conf"}) is None
