"""Every command that README.md and docs/ show is one that there is, with such options.

Whole sessions are run elsewhere: `simulate` in test_cookbook.py, installing in tests/packaging/,
Docker in tests/docker/. Here nothing is run; each command line is parsed by the program itself.
"""

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest

from pbx_bridge.cli import main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: What stands for something: `pbx-bridge explain CALL`.
BLOCK = re.compile(r"^```(?:sh|console)\n(.*?)^```", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"^ {4}(?:\$ )?(pbx-bridge .*)$", re.MULTILINE)
INLINE = re.compile(r"`(pbx-bridge [^`\n]+)`")
#: Behind the arguments of an indented command stands what it does.
REMARK = re.compile(r"\s{2,}(?!-).*$|\s#.*$")


def commands(text: str) -> list[str]:
    """Give every command line of the program that a page shows."""
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    lines += INDENTED.findall(text) + INLINE.findall(text)
    found = []
    for line in lines:
        for command in re.split(r"&&|\||;|>", REMARK.sub("", line)):
            words = re.sub(r"^\s*(?:[$#] )?(?:sudo (?:-u \S+ )?)?\S*?(?=pbx-bridge )", "", command)
            if words.startswith("pbx-bridge "):
                found.append(words.strip())
    return found


SHOWN = sorted({(page, command) for page in PAGES for command in commands(page.read_text())})


@pytest.mark.parametrize(
    ("page", "command"),
    [pytest.param(p, c, id=f"{p.relative_to(ROOT)}: {c}") for p, c in SHOWN],
)
def test_a_command_shown_is_one_that_there_is(page: Path, command: str) -> None:
    """Parse it as the program would; files and databases need not be there."""
    try:
        understood(main, shlex.split(command))
    except (click.BadParameter, click.exceptions.Exit, click.exceptions.NoArgsIsHelpError):
        return  # an argument or a file is missing here, or it is a name alone
    except click.UsageError as error:
        if "requires an argument" not in error.message:
            pytest.fail(f"{page.name}: {command}: {error.message}")


def understood(
    command: click.Command, words: list[str], parent: click.Context | None = None
) -> None:
    """Parse `words` (the name first) down to the last subcommand; run nothing."""
    context = command.make_context(words[0], words[1:], parent=parent)
    if isinstance(command, click.Group):
        rest = [*context._protected_args, *context.args]  # what is not parsed yet
        if not rest:  # a group that does something by itself
            return
        name, following, left = command.resolve_command(context, rest)
        assert name is not None
        assert following is not None
        understood(following, [name, *left], context)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_is_to_be_typed_is_valid_shell(page: Path) -> None:
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        checked = subprocess.run(
            ["/bin/bash", "-n"], input=block, capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, f"{page.name}: {checked.stderr}\n{block}"


def test_pages_show_commands() -> None:
    assert len(SHOWN) > 50
