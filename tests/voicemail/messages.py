"""Spools as Asterisk leaves them, and messages to put into them."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

HERE = Path(__file__).parent
#: The message that the first caller of the recorded ones left, by Asterisk 22.
REAL = HERE / "spool" / "22" / "default" / "102" / "INBOX"
SOUND = (REAL / "msg0000.wav").read_bytes()
AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CALLER = "+12125551000"


def copy_of(version: str, place: Path) -> Path:
    """Give a spool that may be changed; its files are as old as their messages."""
    spool = place / "voicemail"
    shutil.copytree(HERE / "spool" / version, spool)
    return spool


def leave(
    spool: Path,
    mailbox: str = "default/102",
    number: int = 0,
    folder: str = "INBOX",
    *,
    channel: str = "PJSIP/trunk-00000000",
    caller_id: str = f'"Ann" <{CALLER}>',
    began: datetime = AT,
    seconds: int | None = 3,
    sounds: dict[str, bytes] | None = None,
    modified: datetime | None = None,
) -> Path:
    """Write a message as app_voicemail does; without `seconds` it is not complete."""
    place = spool / mailbox / folder
    place.mkdir(parents=True, exist_ok=True)
    told = place / f"msg{number:04}.txt"
    for ending, content in ({"wav": SOUND} if sounds is None else sounds).items():
        told.with_suffix(f".{ending}").write_bytes(content)
    text = (
        ";\n; Message Information file\n;\n[message]\n"
        f"origmailbox={mailbox.rpartition('/')[2]}\ncontext=with-voicemail\nexten=102\n"
        f"rdnis=unknown\npriority=3\ncallerchan={channel}\ncallerid={caller_id}\n"
        f"origdate=Tue Nov 24 12:00:00 PM UTC 2026\norigtime={began.timestamp():.0f}\n"
        f"category=\nmsg_id={began.timestamp():.0f}-00000000\nflag=\n"
    )
    told.write_text(text + ("" if seconds is None else f"duration={seconds}\n"))
    written = (modified or began + timedelta(seconds=seconds or 0)).timestamp()
    os.utime(told, (written, written))
    return told
