"""Lines and phones: what speaks for which."""

import re

import pytest

from pbx_bridge.core.endpoints import Endpoint, endpoints, propose
from pbx_bridge.core.tracker import INBOUND_CONTEXTS

ETC = "/etc/asterisk"


def told(file: str, text: str) -> dict[str, bool | None]:
    return {one.name: one.is_line for one in endpoints({f"{ETC}/{file}": text}, ETC)}


ENDPOINT = "[x]\ntype = endpoint\ncontext = somewhere\naors = x\n"


@pytest.mark.parametrize(
    ("more", "is_line"),
    [
        ("", None),
        ("outbound_auth = x", True),
        ("[i]\ntype = identify\nendpoint = x\nmatch = sip.example", True),
        ("[i]\ntype = identify\nendpoint = x", None),
        ("[r]\ntype = registration\nendpoint = x", True),
        ("[x]\ntype = aor\nmax_contacts = 1", False),
        ("[x]\ntype = aor\ncontact = sip:10.0.0.7", None),
    ],
)
def test_pjsip(more: str, is_line: bool | None) -> None:  # noqa: FBT001
    assert told("pjsip.conf", f"{ENDPOINT}{more}") == {"x": is_line}


def test_what_is_called_like_an_extension_is_a_phone_unless_more_speaks_for_a_line() -> None:
    assert told("pjsip.conf", ENDPOINT.replace("x", "101")) == {"101": False}
    assert told("pjsip.conf", ENDPOINT.replace("x", "101") + "outbound_auth = a") == {"101": True}


@pytest.mark.parametrize(
    "context", ["from-internal", "from-internal-shop", "cos-all", "T2_cos-all"]
)
def test_contexts_of_phones(context: str) -> None:
    text = ENDPOINT.replace("somewhere", context) + "outbound_auth = x"
    assert told("pjsip.conf", text) == {"x": False}


def test_strangers_are_no_endpoint() -> None:
    assert told("pjsip.conf", "[anonymous]\ntype = endpoint\ncontext = from-sip-external") == {}
    assert told("iax.conf", "[guest]\ntype = user\ncontext = public") == {}


@pytest.mark.parametrize(
    ("settings", "is_line"),
    [
        ("sends_registrations = yes", True),
        ("sends_auth = yes", True),
        ("remote_hosts = sip.example", True),
        ("accepts_registrations = yes", False),
        ("accepts_registrations = yes\nremote_hosts = 10.0.0.7", False),
        ("accepts_auth = yes", None),
    ],
)
def test_pjsip_wizard(settings: str, is_line: bool | None) -> None:  # noqa: FBT001
    text = f"[x]\ntype = wizard\nendpoint/context = c\n{settings}"
    assert told("pjsip_wizard.conf", text) == {"x": is_line}


@pytest.mark.parametrize("file", ["sip.conf", "iax.conf"])
@pytest.mark.parametrize(
    ("name", "host", "is_line"),
    [
        ("x", "sip.example", True),
        ("x", "dynamic", False),
        ("x", "", None),
        ("101", "10.0.0.7", False),
        ("101", "sip.carrier.example", True),
    ],
)
def test_peers(file: str, name: str, host: str, is_line: bool | None) -> None:  # noqa: FBT001
    general = "[general]\nregister => a:b@sip.carrier.example:5060/100\n"
    text = f"{general}[{name}]\ntype = friend\nhost = {host}\ncontext = c"
    assert told(file, text) == {name: is_line}


def test_a_peer_without_a_context_begins_in_the_general_one() -> None:
    text = "[general]\ncontext = here\n[x]\ntype = peer\nhost = sip.example"
    assert endpoints({f"{ETC}/sip.conf": text}, ETC) == (Endpoint("x", "here", is_line=True),)


def test_ports_of_cards_have_what_stands_before_them() -> None:
    text = (
        "[channels]\nsignalling = fxs_ks\ncontext = from-analog\nchannel => 1,2\n"
        "signalling = fxo_ks\ncontext = from-internal\nchannel => 3\n"
        "signalling = pri_cpe\ncontext = isdn\nchannel => 5-19\n"
    )
    assert endpoints({f"{ETC}/chan_dahdi.conf": text}, ETC) == (
        Endpoint("DAHDI/1,2", "from-analog", is_line=True),
        Endpoint("DAHDI/3", "from-internal", is_line=False),
        Endpoint("DAHDI/5-19", "isdn", is_line=True),
    )


def line(context: str, name: str = "carrier") -> Endpoint:
    return Endpoint(name, context, is_line=True)


def phone(context: str) -> Endpoint:
    return Endpoint("101", context, is_line=False)


def test_what_freepbx_names_needs_no_proposal() -> None:
    found = [line("from-pstn"), line("from-trunk-sip-x"), line("from-digital"), phone("x")]
    assert propose(found).contexts == ()


def test_a_context_of_its_own_is_proposed_exactly() -> None:
    (pattern,) = propose([line("incoming.a"), phone("internal")]).contexts
    (pattern_of_plus,) = propose([line("a+b-c")]).contexts
    assert re.search(pattern_of_plus, "a+b-c")
    assert re.search(pattern, "incoming.a")
    assert not re.search(pattern, "incoming-a")
    assert not re.search(pattern, "x-incoming.a")


def test_beside_others_of_freepbx_these_stay_known() -> None:
    contexts = propose([line("from-pstn"), line("isdn")]).contexts
    assert contexts == (*INBOUND_CONTEXTS, "^isdn$")


def test_the_next_trunk_of_vitalpbx_is_known_too() -> None:
    assert propose([line("trk-1-in"), line("trk-132-in")]).contexts == (r"^trk-\d+-in$",)


def test_a_context_that_phones_share_cannot_tell_so_the_trunk_does() -> None:
    proposal = propose([line("default"), phone("default"), line("isdn", "DAHDI/1")])
    assert (proposal.contexts, proposal.trunks) == (("^isdn$",), ("carrier",))


def test_hostile_names_are_not_proposed() -> None:
    proposal = propose([line("a'\nb"), line("c", 'x"]\n'), phone("c")])
    assert (proposal.contexts, proposal.trunks) == ((), ())
