"""What the tests of commands have, for those that read what is stored by them."""

from tests.cli.conftest import _leave_logging_as_it_was, command, folder

__all__ = ["_leave_logging_as_it_was", "command", "folder"]
