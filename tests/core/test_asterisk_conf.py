"""Asterisk's configuration syntax, rule by rule."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx_bridge.core.asterisk_conf import includes, sections, truth

ETC = "/etc/asterisk"


def read(**files: str) -> list[tuple[str, list[tuple[str, str]]]]:
    given = {f"{ETC}/{name.replace('__', '.')}": text for name, text in files.items()}
    return [(one.name, one.settings) for one in sections(given, f"{ETC}/a.conf")]


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("[a]\nkey = value", [("key", "value")]),
        ("[a]\nKey=>value", [("key", "value")]),
        ("[a]\nkey =", [("key", "")]),
        ("[a]\nkey = a=b", [("key", "a=b")]),
        ("[a]\nkey = value ; why", [("key", "value")]),
        ("[a] ; of the panel\nkey = value", [("key", "value")]),
        ("[a]\nkey = a\\;b", [("key", "a;b")]),
        ("[a]\n;key = value", []),
        ("[a]\n;-- key = value\nother = b\n--;\nlast = c", [("last", "c")]),
        ("[a]\n;-- one line --;key = value", [("key", "value")]),
        ("[a]\n;--- a rule ---;\nkey = value", [("key", "value")]),
        ("[a]\n; see ;-- this\nkey = value", [("key", "value")]),
        ("[a]\r\nkey = value\r\n", [("key", "value")]),
        ("[a]\nno setting", []),
    ],
)
def test_lines(text: str, settings: list[tuple[str, str]]) -> None:
    assert read(a__conf=text) == [("a", settings)]


def test_what_stands_before_the_first_section_belongs_to_none() -> None:
    assert read(a__conf="key = value\n[a]") == [("a", [])]


def test_a_section_inherits_from_templates_and_is_none_itself() -> None:
    text = "[t](!)\nx = 1\n[u](!,t)\ny = 2\n[a](u)\ny = 3"
    assert read(a__conf=text) == [("a", [("x", "1"), ("y", "2"), ("y", "3")])]
    assert sections({f"{ETC}/a.conf": text}, f"{ETC}/a.conf")[0].get("y") == "3"


def test_a_section_can_be_added_to() -> None:
    assert read(a__conf="[a]\nx = 1\n[b]\n[a](+)\ny = 2") == [
        ("a", [("x", "1"), ("y", "2")]),
        ("b", []),
    ]


def test_of_those_with_one_name_the_one_that_is_meant_is_added_to() -> None:
    text = "[a]\ntype = aor\n[a]\ntype = endpoint\n[a](+type=endpoint)\ny = 2"
    assert read(a__conf=text) == [
        ("a", [("type", "aor")]),
        ("a", [("type", "endpoint"), ("y", "2")]),
    ]


@pytest.mark.parametrize("path", ["b.conf", '"b.conf"', "<b.conf>", f"{ETC}/b.conf", "./b.conf"])
@pytest.mark.parametrize("word", ["include", "tryinclude"])
def test_an_included_file_stands_where_it_is_named(path: str, word: str) -> None:
    found = read(a__conf=f"[a]\n#{word} {path} \ny = 2", b__conf="x = 1\n[b]")
    assert found == [("a", [("x", "1")]), ("b", [("y", "2")])]


def test_wildcards_do_not_reach_into_folders() -> None:
    files = {
        f"{ETC}/a.conf": "#include d/*.conf",
        f"{ETC}/d/2.conf": "[two]",
        f"{ETC}/d/1.conf": "[one]",
        f"{ETC}/d/e/3.conf": "[three]",
        f"{ETC}/d/4.conf.bak": "[four]",
    }
    assert [one.name for one in sections(files, f"{ETC}/a.conf")] == ["one", "two"]
    assert includes(files, f"{ETC}/a.conf") == ["d/*.conf"]


def test_includes_are_relative_to_the_folder_also_from_within_others() -> None:
    files = {
        f"{ETC}/a.conf": "#include d/b.conf",
        f"{ETC}/d/b.conf": "#include c.conf",
        f"{ETC}/c.conf": "[c]",
    }
    assert [one.file for one in sections(files, f"{ETC}/a.conf")] == [f"{ETC}/c.conf"]


def test_files_that_include_each_other_end() -> None:
    assert {name for name, _ in read(a__conf="[a]\n#include a.conf")} == {"a"}


def test_a_file_that_is_not_there_says_nothing() -> None:
    assert read() == []


def test_truth() -> None:
    assert all(map(truth, ("yes", "TRUE", "on", "1", "y", "t")))
    assert not any(map(truth, ("no", "false", "", "2")))


@given(
    st.text(st.sampled_from("[](){}=>;-+!&,#\\ \n\"'ab")),
    st.text(st.sampled_from("[]()=>;-#i \nab/*")),
)
def test_no_text_is_too_odd(first: str, second: str) -> None:
    files = {f"{ETC}/a.conf": f"#include b.conf\n{first}", f"{ETC}/b.conf": second}
    for section in sections(files, f"{ETC}/a.conf"):
        assert section.file in files
        assert not section.is_template
