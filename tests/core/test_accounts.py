"""Names and passwords of users."""

import pytest

from pbx_bridge.core.accounts import is_extension, login_name, password_fits


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (" Anna ", "anna"),
        ("anna.berg@example.com", "anna.berg@example.com"),
        ("1-2_3", "1-2_3"),
        ("", None),
        ("-x", None),
        ("two words", None),
        ("ann\u0430", None),  # a Cyrillic letter
        ("a\u202eb", None),
        ("a" * 64, None),
    ],
)
def test_a_name_is_plain_letters(written: str, name: str | None) -> None:
    assert login_name(written) == name


def test_only_the_length_of_a_password_counts() -> None:
    assert [password_fits("x" * n) for n in (0, 11, 12, 200, 201)] == [
        False, False, True, True, False,
    ]  # fmt: skip
    assert password_fits("correct horse")


@pytest.mark.parametrize(
    ("written", "fits"),
    [("101", True), ("200101", True), ("", False), ("0049170123", False), ("1&2", False)],
)
def test_an_extension_is_no_number_outside(written: str, fits: bool) -> None:  # noqa: FBT001
    assert is_extension(written) == fits
