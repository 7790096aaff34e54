"""A PBX of FreePBX's shape (freepbx-conf/): numbers, trunks, and what lies in its AstDB.

The dialplan is written with Macro(), as FreePBX 16 has it. Asterisk 22 has none any more, so there
it becomes Gosub(), which is how FreePBX 17 did it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from .asterisk import (
    CONF,
    PHONES,
    RECORDER,
    Place,
    Site,
    common_files,
    manager_general,
    media,
    phones,
    write,
)

FREEPBX = Path(__file__).parent / "freepbx-conf"

# The office's numbers, as its carrier sends them (extensions_additional.conf).
DIRECT = "6465550301"
WITH_VOICEMAIL = "6465550302"
GROUP = "6465550303"
HUNT = "6465550304"
MOBILES = "6465550305"
QUEUE = "6465550306"
QUEUE_EMPTY = "6465550307"
HOURS = "6465550308"
IVR = "6465550309"
FOLLOW_ME = "6465550310"
CLOSED = "6465550311"
EWA = "6465550312"
TERMINATED = "6465550313"
ZAPATELLER = "6465550314"
PREFIXED = "6465550315"
CONFERENCE = "6465550316"
DIRECTORY = "6465550317"
MISC = "6465550318"
MAILBOX = "6465550319"
QUEUE_KEYS = "6465550320"
GROUP_FOLLOW_ME = "6465550321"
UNREGISTERED_PHONE = "6465550322"
PAGE = "6465550323"
VMX = "6465550324"
SLOW_HANGUP = "6465550325"
RING_FOREVER = "6465550326"
ALLOWLIST = "6465550327"
ISSABEL = "6465550299"
NO_ROUTE = "6465550199"

UNFILTERED = "pbxbridge-unfiltered"  # the account without its eventfilter lines
E164, ANALOG = 3, 4  # other trunks: hosts of the office's network

_NAMES = {"101": "Anna", "102": "Ben", "103": "Carla", "104": "Dev", "105": "Ewa", "106": "Finn"}
_AGI = """#!/bin/sh
# Stands for a program of FreePBX's (missedcallnotify.php, a CRM): takes so many seconds.
while read -r line && [ -n "$line" ]; do :; done
sleep "${1:-0}"
"""


def gosub(dialplan: str) -> str:
    """Give a dialplan with Macro() as one with Gosub()."""
    text = re.sub(r"(?m),Macro\(([\w-]+),?(.*)\)$", r",Gosub(macro-\1,s,1(\2))", dialplan)
    text = re.sub(r"\bM\(([a-z])", r"U(macro-\1", text)
    return text.replace("MacroExit()", "Return()").replace("MACRO_RESULT", "GOSUB_RESULT")


class FreePbx(Site):
    """The configuration of freepbx-conf/, on top of asterisk-conf/ where nothing is FreePBX's."""

    def install(self, etc: Path, place: Place) -> None:
        shutil.copytree(CONF, etc, dirs_exist_ok=True)
        for folder in ("manager.d", "snippets"):
            shutil.rmtree(etc / folder)
        shutil.copytree(FREEPBX, etc, dirs_exist_ok=True)
        write(etc, common_files(place) | self._files(place))
        agi = etc.parent / "agi-bin" / "seconds.agi"
        agi.write_text(_AGI, encoding="utf-8")
        agi.chmod(0o755)
        if place.version != "16":
            for file in etc.glob("extensions*.conf"):
                file.write_text(gosub(file.read_text("utf-8")), encoding="utf-8")

    def _files(self, place: Place) -> dict[str, str]:  # type: ignore[override]
        net = place.net
        account = (CONF / "manager.d" / "pbxbridge.conf").read_text("utf-8")
        unfiltered = re.sub(r"(?m)^eventfilter = .*\n", "", account)
        unfiltered = unfiltered.replace("[pbxbridge]", f"[{UNFILTERED}]")
        trunks = {"carrier": (2, "from-pstn"), "e164": (E164, "from-pstn-e164-us")}
        trunks["fxo"] = (ANALOG, "from-analog")
        return {
            "manager.conf": manager_general(place)
            + "#include manager_additional.conf\n#include manager_custom.conf\n",
            "manager_additional.conf": RECORDER + unfiltered,
            "manager_custom.conf": account,
            "pjsip_site.conf": common_files(place)["pjsip_transport.conf"]
            + phones(net)
            + "".join(
                f"""
[{name}](trunk)
context = {context}
aors = {name}
{media(net)}
[{name}]
type = aor
contact = sip:{net.host(host)}:5060

[{name}]
type = identify
endpoint = {name}
match = {net.host(host)}
"""
                for name, (host, context) in trunks.items()
            ),
        }

    def astdb(self) -> Mapping[str, str]:
        entries = {}
        for number in PHONES:
            entries[f"AMPUSER/{number}/device"] = number
            entries[f"AMPUSER/{number}/cidname"] = _NAMES[number]
            entries[f"DEVICE/{number}/dial"] = f"PJSIP/{number}"
            entries[f"DEVICE/{number}/user"] = number
        for number in ("102", "103", "104"):
            entries[f"AMPUSER/{number}/voicemail"] = "default"
        follow_me = {
            "ddial": "DIRECT",
            "strategy": "ringallv2",
            "grptime": "9",
            "grplist": "2125550904#",
            "grpconf": "ENABLED",
            "postdest": "ext-local,vmu104,1",
        }
        entries |= {f"AMPUSER/104/followme/{key}": value for key, value in follow_me.items()}
        entries |= {
            "AMPUSER/103/vmx/unavail/state": "enabled",
            "AMPUSER/103/vmx/unavail/1/ext": "101",
        }
        groups = {
            "600": ("ringall", "101-102-103", "app-blackhole,hangup,1", ""),
            "601": ("hunt", "101-102", "ext-local,vmu100,1", ""),
            "602": ("ringall", "2125550904#-2125550905#", "app-blackhole,hangup,1", "CHECKED"),
            "603": ("ringall", "101-104", "app-blackhole,hangup,1", ""),
        }
        for number, settings in groups.items():
            names = ("strategy", "grplist", "postdest", "needsconf")
            entries |= {
                f"RINGGROUP/{number}/{name}": value
                for name, value in zip(names, settings, strict=True)
                if value
            }
        queues = {
            "400": ("6", "app-announcement-1,s,1"),
            "401": ("6", "ext-local,vmu100,1"),
            "402": ("9", "app-blackhole,hangup,1"),
        }
        for number, (maxwait, dest) in queues.items():
            entries |= {f"QUEUE/{number}/maxwait": maxwait, f"QUEUE/{number}/dest": dest}
        return entries
