"""What can be wrong with the database, told to the one who can mend it."""


class StoreProblem(Exception):  # noqa: N818 - it is a problem report, not a program error
    """The database cannot be used; the text names the file and says what to do."""


class StoreUnavailable(StoreProblem):
    """The database cannot be written now, and may be later: the disk is full or failing."""


class DamagedValue(StoreProblem):
    """A value is stored that we never write: the database is damaged."""
