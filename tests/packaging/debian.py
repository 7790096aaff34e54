"""A fresh Debian to install packages in: a tree of scripts/debian-tree, with a layer of its own."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.packaging.checkout import ROOT

SCRIPTS = ROOT / "scripts"


@dataclass(frozen=True)
class Machine:
    """One Debian without systemd running; what is done to it stays until the test is over."""

    tree: str
    layer: Path
    packages: Path  #: seen inside as /packages

    def command(self, command: str) -> list[str]:
        """Give how to run a shell command in it as root."""
        return [
            str(SCRIPTS / "in-tree"), self.tree, "--layer", str(self.layer), "--index",
            "--bind", f"{self.packages}:/packages", "sh", "-ec", command,
        ]  # fmt: skip

    def service(self, command: str) -> str:
        """Make of a command one as systemd runs it: with its user, its credentials, no more."""
        credentials = "/run/credentials/pbx-bridge.service"
        return (
            f"mkdir -p {credentials}; cp -r /etc/pbx-bridge/credentials/. {credentials}; cd /\n"
            f"chown -R pbx-bridge {credentials}\n"
            "setpriv --reuid pbx-bridge --regid pbx-bridge --clear-groups --no-new-privs"
            f" env -i PATH=/usr/bin:/bin CREDENTIALS_DIRECTORY={credentials} {command}"
        )

    def try_to(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a shell command as root, whatever comes of it."""
        return subprocess.run(  # noqa: S603
            self.command(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=900,
        )  # fmt: skip

    def run(self, command: str) -> str:
        """Run a shell command as root and give what it printed; a failure shows it."""
        done = self.try_to(command)
        assert done.returncode == 0, f"{command} gave {done.returncode}:\n{done.stdout}"
        return done.stdout

    def as_service(self, command: str) -> str:
        """Run a command as the service is run."""
        return self.run(self.service(command))


def tree(suite: str) -> str:
    """Give the path of a minimal Debian, made if it is not in the cache."""
    done = subprocess.run(  # noqa: S603
        [SCRIPTS / "debian-tree", suite], stdout=subprocess.PIPE, text=True, check=True, timeout=900
    )
    return done.stdout.strip()
