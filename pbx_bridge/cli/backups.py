"""`backup` and `restore`: copies of the database, made and put back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pbx_bridge import clock
from pbx_bridge.cli.options import Misuse, Report, config_option, load_config, told_plainly
from pbx_bridge.cli.tables import local, print_line, print_table
from pbx_bridge.config import Config
from pbx_bridge.store import backup as copies
from pbx_bridge.store import restore as restoring
from pbx_bridge.store.backup import Content, Why
from pbx_bridge.store.problem import StoreProblem
from pbx_bridge.store.restore import Restored

#: Tables that a person knows, with their names.
_COUNTED = {
    "call": "calls",
    "message": "messages",
    "reply": "replies",
    "consent": "opt-outs and opt-ins",
    "follow_up": "follow-ups",
    "task": "tasks",
    "contact": "contacts",
}


@click.command()
@config_option
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
@click.option("--list", "listed", is_flag=True, help="List the backups in the folder instead.")
def backup(*, config_path: Path | None, file: Path | None, force: bool, listed: bool) -> None:
    """Copy the database while the service works.

    Without FILE the copy goes into the folder of backups ([backups] folder) under a name with the
    time; such a copy is never deleted by itself. Every page and every reference of the copy is
    checked before it gets its name, and only its owner may read it: it has your callers' numbers
    and words in it. Copy it to another machine: a disk that dies takes both with it.

    The configuration and recordings of voicemail messages are not in it.

    \b
    Examples:
      pbx-bridge backup
      pbx-bridge backup /mnt/nas/pbx-bridge-monday.db
      pbx-bridge backup --list
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    config = load_config(config_path)
    path = config.database.path
    folder = config.backups.beside(path)
    if listed:
        if file is not None or force:
            raise Misuse("--list takes neither a FILE nor --force")
        _list(config, folder)
        return
    if not path.is_file():
        raise Report(f"there is no database {path}: has the service run yet?")
    with told_plainly(StoreProblem), _progress("copying") as told:
        if file is None:
            copies.make_folder(folder)
            file = copies.copy_into(folder, path, clock.utc_now(), Why.BY_HAND, told=told)
        else:
            if not file.absolute().parent.is_dir():
                raise Misuse(f"there is no folder {file.parent}")
            if file.exists() and file.samefile(path):
                raise Misuse(f"{file} is the database itself")
            copies.copy(path, file, overwrite=force, told=told)
        content = copies.verified(file)
    print_line(f"{file}: {_size(file)}, verified; {_rows(content)}")


@click.command()
@config_option
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
def restore(*, config_path: Path | None, file: Path, yes: bool) -> None:
    """Put a backup in the place of the database; the service must be stopped.

    FILE is checked first. The database that stands there is kept beside it, under a name that is
    told. Nothing is sent twice: texts and follow-ups that waited when the backup was made are
    cancelled, because they may have been done since, and calls from then until now are not looked
    up. Opt-outs and replies that came since are taken over from the database that is replaced,
    if it can be read.

    \b
    Examples:
      systemctl stop pbx-bridge
      pbx-bridge backup --list
      pbx-bridge restore /var/lib/pbx-bridge/backups/pbx-bridge-20261128T030000Z-0003-scheduled.db
      systemctl start pbx-bridge
    """  # noqa: D301 - see above
    config = load_config(config_path)
    path = config.database.path
    with told_plainly(StoreProblem):
        content = restoring.looked_at(file)
        print_line(f"{file}: {_size(file)}, whole; {_rows(content)}")
        if path.exists() and not yes:
            click.confirm(f"Put it in the place of {path}?", abort=True)
        with _progress("restoring") as told:
            done = restoring.restore(file, path, clock.utc_now(), told=told)
    _report(config, done)


def _report(config: Config, done: Restored) -> None:
    zone = config.office.timezone
    print_line(f"{config.database.path} is as it was on {local(done.as_of, zone)} ({zone})")
    print_line(
        f"cancelled, for they may have been done since: {done.cancelled} texts, "
        f"{done.stopped} follow-ups; {done.doubtful} texts stay uncertain"
    )
    if done.unread:
        print_line(f"nothing could be taken over from what stood there: {done.unread}")
    elif done.aside is not None:
        print_line(
            "taken over from what stood there, because it came since: "
            f"{done.optouts} opt-outs or opt-ins, {done.replies} replies"
        )
    if done.unread or done.aside is None:
        print_line(
            "opt-outs since then are lost: add those that you know of with `pbx-bridge optouts add`"
        )
    if done.aside is not None:
        print_line(f"what stood there is now {done.aside}; delete it when all is well")
    print_line("start the service now")


def _list(config: Config, folder: Path) -> None:
    found = copies.in_folder(folder, config.database.path)
    found += copies.in_folder(config.database.path.parent, config.database.path)
    if not found:
        print_line(f"there are no backups in {folder}")
        return
    zone = config.office.timezone
    rows = [
        (local(one.at, zone), one.why.value, one.revision, _size(one.path), str(one.path))
        for one in sorted(found, key=lambda one: one.at, reverse=True)
    ]
    columns = ("made", "why", "tables", "size", "file")
    print_table(f"backups, newest first, times in {zone}", columns, rows)


def _rows(content: Content) -> str:
    counted = [
        f"{content.rows[table]} {name}" for table, name in _COUNTED.items() if table in content.rows
    ]
    return f"tables of {content.revision}, {', '.join(counted)}"


def _size(file: Path) -> str:
    return f"{file.stat().st_size / 1e6:.1f} MB"


@contextmanager
def _progress(what: str) -> Iterator[copies.Progress]:
    """Show a bar on a terminal while a copy is made; nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    shown = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        copying = bar.add_task(what, total=None)

        def told(done: int, total: int) -> None:
            bar.update(copying, completed=done, total=total)

        yield told
