"""Each way in which a connection fails has one line that says what to change."""

import socket
import ssl

import pytest

from pbx_bridge.sources.ami import problems
from pbx_bridge.sources.ami.link import LinkLost, Refused


def certificate_error() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


def tls_error() -> ssl.SSLError:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number")
    error.reason = "WRONG_VERSION_NUMBER"
    return error


@pytest.mark.parametrize(
    ("error", "say"),
    [
        (Refused("Authentication failed"), "check username and secret"),
        (certificate_error(), "(self-signed certificate): set tls.ca"),
        (tls_error(), "(WRONG_VERSION_NUMBER): is port the one of tlsbindaddr"),
        (socket.gaierror(-2, "Name or service not known"), "the name 'pbx' is unknown: check host"),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), "no name server answers (try again)"),
        (ConnectionRefusedError(111, "Connection refused"), "is Asterisk running"),
        (TimeoutError(), "does not answer: wrong host or port, a firewall"),
        (LinkLost("gone"), "does permit= allow this machine?"),
        (ConnectionResetError(104, "Connection reset by peer"), "does permit= allow this machine?"),
        (OSError(113, "No route to host"), "cannot reach pbx:5038: No route to host"),
        (OSError("of its own"), "cannot reach pbx:5038: of its own"),
    ],
)
def test_a_problem_says_what_to_change(error: Exception, say: str) -> None:
    problem = problems.of_connecting(error, "pbx", 5038, "bridge")
    assert say in problem.text
    assert "pbx" in problem.text
    assert "\n" not in problem.text
    assert problem.refused == isinstance(error, Refused)
    assert problem.disagreed == isinstance(error, ssl.SSLError)


def test_a_refused_login_names_the_account_and_what_the_pbx_said() -> None:
    error = Refused("Authentication failed")
    text = problems.of_connecting(error, "pbx", 5038, "bridge").text
    assert text.startswith("pbx:5038 refuses the login of 'bridge' (Authentication failed): ")


def test_a_bug_is_not_explained_away() -> None:
    with pytest.raises(ZeroDivisionError):
        problems.of_connecting(ZeroDivisionError(), "pbx", 5038, "bridge")
