"""`init`: a first configuration, the secret, and the account on the PBX."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import click

from pbx_bridge import check as checking
from pbx_bridge import enclosed, installation, logs
from pbx_bridge.cli.asking import (
    answer,
    read_country,
    read_name,
    read_network,
    read_number,
    read_username,
    read_zone,
    valid,
)
from pbx_bridge.cli.options import (
    CONFIG_PLACES,
    Misuse,
    Report,
    find_config,
    load_config,
    run_async,
    told_plainly,
)
from pbx_bridge.cli.tables import print_line
from pbx_bridge.config import Pbx, parse
from pbx_bridge.core.first_config import Answers, written
from pbx_bridge.core.manager_account import USERNAME, account, foreign, placed
from pbx_bridge.installation import Seen
from pbx_bridge.secret import CREDENTIALS

_PORT = 5038
_SECRET = "ami-secret"  # noqa: S105 - the name of a file
_RELOAD = 'asterisk -rx "manager reload"'
_MOST_NAMED = 3
_WORDS = {True: "ok", None: "note", False: "WRONG"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the options say."""

    config: Path
    office: str | None
    country: str | None
    timezone: str | None
    number: str | None
    host: str | None
    port: int | None
    username: str
    permits: tuple[str, ...]
    root: Path
    new_secret: bool
    ask: bool


@click.command()
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="PBX_BRIDGE_CONFIG",
    show_envvar=True,
    help=f"The file to make. [default: {CONFIG_PLACES[1]} for root, else {CONFIG_PLACES[0]}]",
)
@click.option("--office", help="The office's name, as its callers know it.")
@click.option("--country", help="Its country, two letters: US, GB, DE.")
@click.option("--timezone", help="Its time zone: America/New_York.")
@click.option("--number", "own", help="Its number, for callers to call back.")
@click.option("--host", help="Where the PBX is, if not on this machine.")
@click.option("--port", type=click.IntRange(1, 65535), help="Its manager port, usually 5038.")
@click.option("--username", default=USERNAME, show_default=True, help="The account's name there.")
@click.option(
    "--permit",
    multiple=True,
    help="Address from which the service logs in, as the PBX sees it.  [default: this machine's]",
)
@click.option(
    "--install", is_flag=True, help="Put the account into the PBX's files on this machine."
)
@click.option("--new-secret", is_flag=True, help="Make a new secret even if there is one.")
@click.option("--asterisk-etc", help="Asterisk's configuration folder, if it is an unusual one.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default="/",
    help="Where the PBX's file system is mounted, if not at /.",
)
@click.option("--force", is_flag=True, help="Replace a configuration that is there.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing; take what is found here.")
@click.option("--account", "only_account", is_flag=True, help="Only print the account's lines.")
@click.option("--reference", is_flag=True, help="Only print every setting there is, annotated.")
@click.pass_context
def init(  # noqa: PLR0913, PLR0917 - what the options say
    ctx: click.Context,
    config_path: Path | None,
    office: str | None,
    country: str | None,
    timezone: str | None,
    own: str | None,
    host: str | None,
    port: int | None,
    username: str,
    permit: tuple[str, ...],
    asterisk_etc: str | None,
    root: Path,
    *,
    install: bool,
    new_secret: bool,
    force: bool,
    yes: bool,
    only_account: bool,
    reference: bool,
) -> None:
    """Make a first configuration, and an account for it on the PBX.

    Looks whether FreePBX, Issabel, VitalPBX or a plain Asterisk is here, and in which contexts its
    calls from outside begin. Makes the secret of the account. Prints the account's lines, or with
    --install puts them where they belong, has Asterisk read them, and tries the login.

    \b
    Examples:
      pbx-bridge init
      pbx-bridge init --install
      pbx-bridge init --yes --office "Miller & Sons" --country US --install
      pbx-bridge init --host 10.8.0.1          the PBX is another machine
      pbx-bridge init --account                the lines for its manager.conf, once more
      pbx-bridge init --reference | less       every setting, annotated
    """  # noqa: D301 - \b is click's mark for a paragraph to leave as it is
    if reference:
        click.echo(enclosed.reference(), nl=False)
        return
    logs.configure("error", "console")
    wishes = Wishes(
        config=(config_path or CONFIG_PLACES[1 if os.geteuid() == 0 else 0]).absolute(),
        office=office,
        country=country,
        timezone=timezone,
        number=own,
        host=host,
        port=port,
        username=valid(read_username, username, "--username"),
        permits=tuple(valid(read_network, each, "--permit") for each in permit),
        root=root.absolute(),
        new_secret=new_secret,
        ask=not yes,
    )
    with told_plainly(OSError):
        if only_account:
            pbx = load_config(find_config(config_path)).pbx[0]
            click.echo(_account(wishes, pbx), nl=False)
            return
        kept = wishes.config.exists() and not force
        if kept and installation.is_untouched(wishes.config):  # there is nothing to lose
            kept = False
        if kept and not install:
            raise Misuse(
                f"{wishes.config} is there already. --force replaces it (the old one stays beside"
                " it); --install puts its account into the PBX's files, --account prints it."
            )
        if kept and new_secret:
            raise Misuse("--new-secret makes the configuration anew: only together with --force")
        seen = _look(wishes, asterisk_etc, install=install)
        if kept:
            print_line(f"{wishes.config} is there already and stays as it is")
            pbx = load_config(wishes.config).pbx[0]
        else:
            pbx = _made(wishes, seen)
        fine = _connected(wishes, seen, pbx, install=install)
    config = "" if wishes.config in map(Path.absolute, CONFIG_PLACES) else f" -c {wishes.config}"
    print_line(f"next: pbx-bridge check{config}, then pbx-bridge probe{config}")
    ctx.exit(0 if fine else 1)


def _look(wishes: Wishes, asterisk_etc: str | None, *, install: bool) -> Seen | None:
    """Look for a PBX on this machine, unless it is said to be another; tell what is there."""
    if wishes.host is not None and asterisk_etc is None and not install:
        return None
    seen = installation.look(wishes.root, asterisk_etc)
    if seen is None:
        if asterisk_etc is not None:
            raise Misuse(f"--asterisk-etc: there is no folder {asterisk_etc}")
        if install:
            raise Misuse(
                "--install: no Asterisk configuration was found here. Run this on the PBX, or leave"
                " --install out and paste what is printed into its manager.conf."
            )
        return None
    here = seen.layout
    print_line(f"found {here.kind.value}, configured in {here.folder}")
    lines = [f"{each.name} ({each.context})" for each in here.endpoints if each.is_line]
    if lines:
        print_line(f"  calls from outside: {', '.join(lines)}")
    for doubt in here.doubts:
        print_line(f"  note: {doubt}")
    if seen.unreadable:
        more = " …" if len(seen.unreadable) > _MOST_NAMED else ""
        print_line(
            f"  note: not readable for this user: {', '.join(seen.unreadable[:_MOST_NAMED])}{more};"
            " run this as root to have all of it seen"
        )
    return seen


def _made(wishes: Wishes, seen: Seen | None) -> Pbx:
    """Write the configuration and the secret; give the PBX as configured."""
    if seen is not None:
        _refuse_foreign(seen, wishes.username)
    kind, place = "file", wishes.config.with_name(_SECRET)
    if wishes.config.parent == installation.HOME:
        kind, place = "credential", CREDENTIALS / _SECRET
    answers = _ask(wishes, seen, (kind, _SECRET if kind == "credential" else str(place)))
    text = written(answers)
    if wishes.new_secret or not place.exists():
        installation.keep_secret(place, secrets.token_urlsafe(32))
        print_line(f"wrote {place}: the account's secret")
    parse(text, str(wishes.config), wishes.config.parent)  # wrong only by a mistake of ours
    before = installation.keep(wishes.config, text)
    print_line(f"wrote {wishes.config}: shadow mode, nothing is sent")
    if before is not None:
        print_line(f"  what it was before is in {before}")
    return load_config(wishes.config).pbx[0]


def _ask(wishes: Wishes, seen: Seen | None, secret: tuple[str, str]) -> Answers:
    ask = wishes.ask
    office = answer(
        "--office", "Office name, as callers know it", read_name, said=wishes.office, ask=ask
    )
    timezone = answer(
        "--timezone",
        "Time zone",
        read_zone,
        said=wishes.timezone,
        default=installation.time_zone(),
        ask=ask,
    )
    country = answer(
        "--country",
        "Country, two letters",
        read_country,
        said=wishes.country,
        default=installation.country_of(timezone),
        ask=ask,
    )
    own = answer(
        "--number",
        "Number to call back (Enter for none)",
        lambda text: read_number(text, country) if text else "",
        said=wishes.number,
        default="",
        ask=ask,
    )
    if seen is not None:
        host, port = wishes.host or seen.layout.listening.address, seen.layout.listening.port
    else:
        host = answer("--host", "Address of the PBX", read_name, said=wishes.host, ask=ask)
        port = _PORT
    return Answers(
        office=office,
        country=country,
        timezone=timezone,
        number=own or None,
        pbx="office",
        host=host,
        port=wishes.port or port,
        username=wishes.username,
        secret=secret,
        contexts=seen.layout.proposal.contexts if seen else (),
        trunks=seen.layout.proposal.trunks if seen else (),
        database=None if secret[0] == "credential" else "pbx-bridge.db",
    )


def _connected(wishes: Wishes, seen: Seen | None, pbx: Pbx, *, install: bool) -> bool:
    """Bring the account to the PBX, or show it; try it where that makes sense."""
    if install and seen is not None:
        _refuse_foreign(seen, pbx.username)
        ready = _install(wishes, seen, _account(wishes, pbx))
    elif wishes.ask:
        print_line(f"put this into {_place(seen)} and run: {_RELOAD}")
        click.echo(f"\n{_account(wishes, pbx)}")
        ready = click.confirm("Done? Then the login is tried now", default=True)
    else:
        print_line(f"the account belongs into {_place(seen)}: pbx-bridge init --account prints it")
        ready = False
    return not ready or run_async(_try(pbx))


def _refuse_foreign(seen: Seen, username: str) -> None:
    if other := foreign(seen.files, seen.layout.folder, username):
        raise Misuse(
            f"{other} has an account [{username}] that `init` did not write: remove it, or name"
            " another with --username"
        )


def _account(wishes: Wishes, pbx: Pbx) -> str:
    permits = wishes.permits
    if not permits:
        address = installation.address_towards(pbx.host, pbx.port)
        if address is None:
            raise Report(
                f"there is no way from here to {pbx.host}, so by which address this machine would"
                " log in there is not known: say it with --permit"
            )
        permits = (read_network(address),)
    return account(enclosed.account(), pbx.username, pbx.secret.reveal(), permits)


def _place(seen: Seen | None) -> str:
    if seen is None:
        return "manager.conf of the PBX, or a file that it includes,"
    return seen.layout.account_file


def _install(wishes: Wishes, seen: Seen, block: str) -> bool:
    """Put the account into its file and have Asterisk read it; whether a login can be tried."""
    here = seen.layout
    before = installation.read(wishes.root, here.account_file)
    after = placed(before, block)
    if after == before:
        print_line(f"{here.account_file} has the account already")
    else:
        copy = installation.rewrite(
            wishes.root, here.account_file, after, like=f"{here.folder}/manager.conf"
        )
        print_line(f"wrote the account into {here.account_file}")
        if copy is not None:
            print_line(f"  what it was before is in {copy}")
    if wishes.root != installation.ROOT:
        print_line(f"  on the PBX itself now run: {_RELOAD}")
        return False
    if problem := installation.reload_manager(here.folder):
        print_line(f"  Asterisk does not know of it yet ({problem}); run: {_RELOAD}")
    return True


async def _try(pbx: Pbx) -> bool:
    fine = True
    async for finding in checking.login(pbx):
        fine = fine and finding.good is not False
        print_line(f"{_WORDS[finding.good]:5}  {finding.what}: {finding.text}")
    return fine
