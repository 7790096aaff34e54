"""Why a connection does not work, in one line that says what to change."""

import socket
import ssl
from dataclasses import dataclass

from pbx_bridge.sources.ami.link import LinkLost, Refused


@dataclass(frozen=True, slots=True)
class Problem:
    """`refused`: the PBX said no. Trying again soon would only get us banned by its fail2ban."""

    text: str
    refused: bool = False


def of_connecting(error: BaseException, host: str, port: int, username: str) -> Problem:  # noqa: PLR0911 - one a line
    """Explain an error of connecting or logging in."""
    where = f"{host}:{port}"
    match error:
        case Refused():
            return Problem(
                f"{where} refuses the login of {username!r} ({error}): check username and secret "
                f"here and in Asterisk's manager.conf, and that its permit= line allows this "
                f"machine's address",
                refused=True,
            )
        case ssl.SSLCertVerificationError():
            return Problem(
                f"{where} shows a certificate that does not hold ({error.verify_message}): set "
                f"tls.ca to the CA that signed it, and host to the name in it"
            )
        case ssl.SSLError():
            return Problem(
                f"{where} does not speak TLS as expected ({error.reason or error}): is port the "
                f"one of tlsbindaddr (usually 5039)?"
            )
        case socket.gaierror():
            return Problem(f"the name {host!r} is unknown: check host ({error.strerror})")
        case ConnectionRefusedError():
            return Problem(
                f"nothing listens on {where}: is Asterisk running, and does its manager.conf say "
                f"enabled = yes with this port and a bindaddr that is reachable from here?"
            )
        case TimeoutError():
            return Problem(
                f"{where} does not answer: wrong host or port, a firewall, or a PBX that hangs"
            )
        case LinkLost() | ConnectionError():
            return Problem(
                f"{where} closed the connection before the login was through: is it an Asterisk "
                f"manager port (TLS or plain as set here), and does permit= allow this machine?"
            )
        case OSError():
            return Problem(f"cannot reach {where}: {error.strerror or error}")
        case _:
            raise error


NO_REPORTING = (
    "the account {username!r} may not ask for the live channels: add `write = reporting` to it in "
    "manager.conf; until then every call that a connection gap touches stays unknown"
)
NO_SYSTEM = (
    "the account {username!r} gets no FullyBooted at login: add `system` to its read= in "
    "manager.conf; without it a restart of the PBX is noticed late"
)
NO_CALLS = (
    "the PBX has calls but tells nothing of them: add `call` to read= of {username!r} in "
    "manager.conf (read = system,call,agent,dialplan), and look for an eventfilter or "
    "disabledevents that hides Newchannel"
)
