"""Why a connection does not work, in one line that says what to change."""

import socket
import ssl
from dataclasses import dataclass

from pbx_bridge.core.saying import say
from pbx_bridge.sources.ami.link import LinkLost, Refused


@dataclass(frozen=True, slots=True)
class Problem:
    """`refused`: the PBX said no. Trying again soon would only get us banned by its fail2ban.

    `disagreed`: somebody is there who speaks otherwise than we do; that is a matter of settings.
    """

    text: str
    refused: bool = False
    disagreed: bool = False


def of_connecting(error: BaseException, host: str, port: int, username: str) -> Problem:  # noqa: PLR0911 - one a line
    """Explain an error of connecting or logging in."""
    where = f"{host}:{port}"
    match error:
        case Refused():
            return Problem(
                say(
                    "{where} refuses the login of {username} ({error}): check username and secret "
                    "here and in Asterisk's manager.conf, and that its permit= line allows this "
                    "machine's address",
                    where=where,
                    username=repr(username),
                    error=error,
                ),
                refused=True,
            )
        case ssl.SSLCertVerificationError():
            return Problem(
                say(
                    "{where} shows a certificate that does not hold ({verify_message}): set tls.ca "
                    "to the CA that signed it, and host to the name in it",
                    where=where,
                    verify_message=error.verify_message,
                ),
                disagreed=True,
            )
        case ssl.SSLError():
            return Problem(
                say(
                    "{where} does not speak TLS as expected ({what}): is port the one of "
                    "tlsbindaddr (usually 5039)?",
                    where=where,
                    what=error.reason or error,
                ),
                disagreed=True,
            )
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return Problem(
                say(
                    "the name {host} cannot be resolved now: no name server answers ({strerror}); "
                    "it is tried again, and an address as host needs none",
                    host=repr(host),
                    strerror=error.strerror,
                )
            )
        case socket.gaierror():
            return Problem(
                say(
                    "the name {host} is unknown: check host ({strerror})",
                    host=repr(host),
                    strerror=error.strerror,
                )
            )
        case ConnectionRefusedError():
            return Problem(
                say(
                    "nothing listens on {where}: is Asterisk running, and does its manager.conf say"
                    " enabled = yes with this port and a bindaddr that is reachable from here?",
                    where=where,
                )
            )
        case TimeoutError():
            return Problem(
                say(
                    "{where} does not answer: wrong host or port, a firewall, or a PBX that hangs",
                    where=where,
                )
            )
        case LinkLost() | ConnectionError():
            return Problem(
                say(
                    "{where} closed the connection before the login was through: is it an Asterisk "
                    "manager port (TLS or plain as set here), and does permit= allow this machine?",
                    where=where,
                )
            )
        case OSError():
            return Problem(
                say("cannot reach {where}: {what}", where=where, what=error.strerror or error)
            )
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
NO_CONTROL = (
    "the account {username!r} of [pbx.control] may do nothing: add to its write= in manager.conf "
    "what is to be done by it: `originate` to phone those on call and to call customers back, "
    "`system` to write what the dialplan reads"
)
NO_ASTDB = (
    "the account {username!r} of [pbx.control] may not write AstDB: [pbx.dialplan] needs that; add "
    "`system` to its write= in manager.conf, then `manager reload`"
)
NO_ORIGINATE = (
    "the account {username!r} of [pbx.control] may place no calls: to phone those on call it needs "
    "`originate` in its write= in manager.conf, as it does to call customers back, and "
    "read = call,user to hear how they ended"
)
