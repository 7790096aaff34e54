"""`voicemails`: what callers said after the tone, and whether it is put into writing."""

import time
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import click
from sqlalchemy import Connection

from pbx_bridge import logs
from pbx_bridge.cli.explanation import recording_state
from pbx_bridge.cli.options import (
    Misuse,
    Report,
    config_option,
    json_option,
    limit_option,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import local, print_json, print_line, print_table
from pbx_bridge.config import Config
from pbx_bridge.core.voicemail import Transcript, Transcription, tidy
from pbx_bridge.objects.messages import recording_object
from pbx_bridge.store import recordings
from pbx_bridge.store.db import Database
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.store.recordings import RecordingRecord
from pbx_bridge.voicemail.shelf import Shelf


@click.group(invoke_without_command=True)
@config_option
@json_option
@limit_option
@click.pass_context
def voicemails(ctx: click.Context, *, config_path: Path | None, limit: int, as_json: bool) -> None:
    """List the messages that callers left, the newest first.

    \b
    Examples:
      pbx-bridge voicemails
      pbx-bridge voicemails --limit 5 --json
      pbx-bridge voicemails save 17 message.wav
      pbx-bridge voicemails try message.wav
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    ctx.obj = config_path
    if ctx.invoked_subcommand is None:
        _list(load_config(config_path), limit, as_json=as_json)


@voicemails.command("try")
@config_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.pass_obj
def try_it(parent: Path | None, *, config_path: Path | None, file: Path) -> None:
    """Put one file into writing, to see that the transcriber works.

    \b
    Examples:
      pbx-bridge voicemails try /var/spool/asterisk/voicemail/default/101/INBOX/msg0000.wav
    """  # noqa: D301 - see above
    config = load_config(config_path or parent)
    logs.configure("warning", "console")
    if config.transcriber is None:
        raise Misuse("there is no [transcriber]; docs/voicemail.md shows how it looks")
    transcriber = config.transcriber.build()
    began = time.monotonic()
    result: Transcription = run_async(transcriber.transcribe(file.absolute()))
    seconds = time.monotonic() - began
    if not isinstance(result, Transcript):
        raise Report(f"no transcript: {result.reason}")
    language = f", language {result.language}" if result.language else ""
    print_line(f"took {seconds:.1f} s{language}")
    print_line(tidy(result.text) or "(nothing was said)")


@voicemails.command()
@config_option
@click.argument("recording", type=click.IntRange(min=1), metavar="ID")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def save(parent: Path | None, *, config_path: Path | None, recording: int, file: Path) -> None:
    """Copy the recording of a message into a file, which is never overwritten.

    \b
    Examples:
      pbx-bridge voicemails save 17 message.wav
    """  # noqa: D301 - see above
    config = load_config(config_path or parent)
    found = next(iter(_read(config, lambda tx: recordings.find(tx, [recording]))), None)
    if found is None or not found.path:
        raise Report(f"no recording {recording}; `pbx-bridge voicemails` lists them")
    try:
        content = Shelf(config.database.path).place(found.path).read_bytes()
        with file.open("xb") as target:
            target.write(content)
    except OSError as error:
        raise Report(f"{error.filename}: {error.strerror}") from error
    print_line(f"{file}: {len(content)} bytes")


def _read(
    config: Config, ask: Callable[[Connection], list[RecordingRecord]]
) -> list[RecordingRecord]:
    async def read() -> list[RecordingRecord]:
        async with Database.read_only(config.database.path) as database:
            return await database.read(ask)

    with told_plainly(StoreProblem):
        return run_async(read())


def _list(config: Config, limit: int, *, as_json: bool) -> None:
    found = _read(config, lambda tx: recordings.recent(tx, limit=limit))
    if as_json:
        print_json(map(recording_object, found))
        return
    if not found:
        print_line("no messages")
        return
    zone = config.office.timezone
    print_table(
        f"messages left, newest first, times in {zone}",
        ("id", "left", "caller", "line", "mailbox", "seconds", "state", "transcript"),
        [_row(record, zone) for record in found],
    )
    if not any(pbx.voicemail for pbx in config.pbx):
        print_line("none are looked for: there is no [pbx.voicemail] in the configuration")


def _row(record: RecordingRecord, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        str(record.recording_id),
        local(record.left_at, zone),
        " ".join(filter(None, (record.caller or "withheld", record.name))),
        record.line,
        record.mailbox,
        f"{record.seconds:.0f}" if record.seconds else "",
        recording_state(record),
        record.transcript,
    )
