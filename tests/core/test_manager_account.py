"""The account, and its place in files that are not ours."""

from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge import enclosed
from pbx_bridge.core.asterisk_conf import sections
from pbx_bridge.core.manager_account import BEGIN, END, account, foreign, placed

ETC = "/etc/asterisk"
HERE = ("127.0.0.1/255.255.255.255",)


def test_it_is_the_account_that_the_tests_run_with_but_for_name_secret_and_address() -> None:
    pattern = enclosed.account()
    (proven,) = sections({"/a": pattern}, "/a")
    permits = (*HERE, "10.8.0.0/255.255.255.0")
    (ours,) = sections({"/a": account(pattern, "bridge", "s;ecret\\1", permits)}, "/a")
    assert ours.name == "bridge"
    assert ours.get("secret") == "s;ecret\\1"
    assert ours.every("permit") == list(permits)
    kept = [each for each in proven.settings if each[0] not in {"secret", "permit"}]
    assert [each for each in ours.settings if each[0] not in {"secret", "permit"}] == kept
    assert ("write", "reporting") in kept


lines = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\n")).filter(
        lambda line: line not in {BEGIN, END}
    )
)


@given(lines, st.booleans())
def test_other_lines_stay_as_they_are(given_lines: list[str], ends: bool) -> None:  # noqa: FBT001
    text = "\n".join(given_lines) + ("\n" if ends and given_lines else "")
    once = placed(text, "[a]\nsecret = 1\n")
    assert once.startswith(text)
    assert placed(once, "[a]\nsecret = 1\n") == once
    twice = placed(once, "[a]\nsecret = 2\n")
    assert twice == once.replace("secret = 1", "secret = 2") or "secret = 1" in text
    assert twice.count(f"{BEGIN}\n") == once.count(f"{BEGIN}\n")


def test_what_stands_behind_ours_stays_behind_it() -> None:
    text = f"[x]\n\n{BEGIN}\n[a]\nsecret = 1\n{END}\n[y]\nz = \\1\n"
    assert placed(text, "[b]\nsecret = \\g<0>\n") == (
        f"[x]\n\n{BEGIN}\n[b]\nsecret = \\g<0>\n{END}\n[y]\nz = \\1\n"
    )


def test_an_account_of_that_name_that_is_not_ours_is_found_where_it_is() -> None:
    files = {
        f"{ETC}/manager.conf": "[general]\n#include manager.d/*.conf",
        f"{ETC}/manager.d/by-hand.conf": "[bridge]\nsecret = x",
        f"{ETC}/manager.d/unrelated.txt": "[other]",
    }
    assert foreign(files, ETC, "bridge") == f"{ETC}/manager.d/by-hand.conf"
    assert foreign(files, ETC, "other") is None
    files[f"{ETC}/manager.d/by-hand.conf"] = placed("", "[bridge]\nsecret = x\n")
    assert foreign(files, ETC, "bridge") is None
