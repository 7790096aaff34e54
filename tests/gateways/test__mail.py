"""An e-mail is what it was meant to be, whatever its parts are."""

import re
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pbx_bridge.core.attachment import Attachment
from pbx_bridge.gateways import _mail
from pbx_bridge.gateways._mail import CARRIERS, Letter, Mailbox, Unsubscribe

AT = datetime(2026, 11, 24, 15, 4, 5, tzinfo=UTC)
HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
}  # fmt: skip
HOSTILE = st.one_of(
    st.text(max_size=200),
    st.text(
        st.sampled_from('\r\n\t :=?<>,;"\\@abcQB_\x00\x85\u2028\u202e\ud800é€😀'), max_size=400
    ),
)
INJECTION = "x\r\nBcc: evil@example.org\r\n\r\nbody"


def letter(**changes: object) -> EmailMessage:
    values: dict[str, object] = {
        "sender": Mailbox.read("Miller & Sons <office@example.com>"),
        "to": "ann@example.org",
        "subject": "Sorry that we missed you",
        "body": "Hello,\n\nwe call back.",
        "message_id": "<key-1@example.com>",
        "at": AT,
        "unsubscribe": {},
    }
    written = Letter(**(values | changes)).as_bytes()  # type: ignore[arg-type]
    assert written.isascii()
    assert b"\n" not in written.replace(b"\r\n", b"")
    assert b"\r" not in written.replace(b"\r\n", b"")
    assert max(map(len, written.split(b"\r\n"))) <= 998
    return BytesParser(policy=default).parsebytes(written)


def content(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def test_a_mail_has_exactly_these_headers() -> None:
    mail = letter()
    assert dict(mail.items()).keys() == HEADERS
    assert len(mail.items()) == len(HEADERS)
    (sender,) = mail["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Miller & Sons", "office@example.com")
    assert mail["To"] == "ann@example.org"
    assert mail["Subject"] == "Sorry that we missed you"
    assert mail["Date"].datetime == AT
    assert mail["Message-ID"] == "<key-1@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_an_answer_says_that_it_is_one() -> None:
    assert letter(in_answer=True)["Auto-Submitted"] == "auto-replied"


@given(HOSTILE, HOSTILE)
@example(INJECTION, INJECTION)
@example("=?utf-8?q?a=0D=0ABcc=3A_evil=40example=2Eorg?=", "")
@example("\u202eCOD.exe", "\x1b[2J\x00")
@example("😀" * 100, ".\r\n.\r\nQUIT\r\n")
@example("é" * 10_240, "ü" * 10_240)
@example("\ud800", "\udfff")
@example("", "")
def test_no_subject_and_no_body_can_add_or_change_a_header(subject: str, body: str) -> None:
    mail = letter(subject=subject, body=body)
    assert len(mail.items()) == len(HEADERS)
    assert dict(mail.items()).keys() == HEADERS
    assert mail["To"] == "ann@example.org"
    assert " ".join(mail["Subject"].split()) == _mail.one_line(subject)[:200].rstrip()
    assert not mail["Subject"].defects
    text = content(mail, "plain")
    assert text.rstrip("\n") == _mail.harmless(body).rstrip("\n")
    for shown in (mail["Subject"], text):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u2028\u202a-\u202e\u2066-\u2069]", shown)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=60))
@example('Müller, Söhne & Co. "Sanitär"')
@example("=?utf-8?q?Bcc?=")
@example("Miller, Inc.")
def test_any_name_of_an_office_stays_a_name(name: str) -> None:
    try:
        sender = Mailbox.read(f"{name} <office@example.com>")
    except ValueError:
        return
    mail = letter(sender=sender)
    assert len(mail.items()) == len(HEADERS)
    (found,) = mail["From"].addresses
    assert found.addr_spec == "office@example.com"


def test_long_and_foreign_subjects_are_folded_as_mail_wants_it() -> None:
    raw = Letter(
        sender=Mailbox("Zoë", "office@example.com"),
        to="ann@example.org",
        subject="Ω" * 200,
        body="",
        message_id="<k@example.com>",
        at=AT,
        unsubscribe={},
    ).as_bytes()
    words = re.findall(rb"=\?[^?]+\?.\?[^?]*\?=", raw)
    assert len(words) > 5
    assert all(len(word) <= 75 for word in words)  # RFC 2047, 2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("see https://example.com/a?b=1&c=2.", '<a href="https://example.com/a?b=1&amp;c=2">'),
        ("(http://example.com)", '(<a href="http://example.com">http://example.com</a>)'),
        (
            "javascript:alert(1) ftp://x.org data:text/html,x",
            "javascript:alert(1) ftp://x.org data",
        ),
        ("<script>alert('x')</script>", "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;"),
        ('https://e.org/"onmouseover="x', "https://e.org/</a>&quot;onmouseover=&quot;x"),
        ("https://e.org/<b>", "https://e.org/</a>&lt;b&gt;"),
        ("a\nb", "a<br>b"),
        ("a\n\nb", "<p>a</p>\n<p>b</p>"),
    ],
)
def test_the_html_part_is_the_text_and_nothing_else(line: str, expected: str) -> None:
    assert expected in content(letter(body=line), "html")


@given(HOSTILE)
@example("https://a.b/'onclick='x")
@example("https://\u202ea.b")
def test_no_body_brings_a_tag_of_its_own(body: str) -> None:
    written = _mail.html(_mail.harmless(body))
    inside = written.split("<body", 1)[1]
    tags = set(re.findall(r"<(/?\w+)", inside))
    assert tags <= {"p", "/p", "br", "a", "/a", "/body", "/html"}
    for attributes in re.findall(r"<a ([^>]*)>", inside):
        assert re.fullmatch(r'href="https?://[^"\'<>\s]*"', attributes)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("ann@example.org", "ann@example.org"),
        ("o'hara+x@Mail.Example.ORG", "o'hara+x@mail.example.org"),
        ("office@münchen.de", "office@xn--mnchen-3ya.de"),
        ("a" * 64 + "@example.org", "a" * 64 + "@example.org"),
        ("a" * 65 + "@example.org", None),
        ("ann@" + "a" * 63 + ".org", "ann@" + "a" * 63 + ".org"),
        ("ann@" + "a" * 64 + ".org", None),
        ("ann@" + ".".join(["a" * 60] * 5), None),
        ("", None),
        ("ann", None),
        ("ann@", None),
        ("@example.org", None),
        ("ann@localhost", None),
        ("ann@[127.0.0.1]", None),
        ("ann@-a.org", None),
        ("ann@a..org", None),
        (".ann@a.org", None),
        ("ann.@a.org", None),
        ("a..n@a.org", None),
        ('"ann smith"@a.org', None),
        ("Ann <ann@a.org>", None),
        ("ann@a.org, bob@a.org", None),
        ("ann@a.org\r\nBcc: x@y.z", None),
        ("ann@a.org\n", None),
        (" ann@a.org", None),
        ("ann@a.org> SIZE=1", None),
        ("änn@a.org", None),
        ("ann@a\u2024org", None),
        ("+15551234567", None),
    ],
)
def test_only_one_plain_address_is_an_address(written: str, expected: str | None) -> None:
    assert _mail.address(written) == expected


@given(st.text(st.sampled_from('a@.<>" ,\r\n\x00é-[]()\\'), max_size=20))
def test_what_passes_as_an_address_cannot_break_a_command(written: str) -> None:
    found = _mail.address(written)
    assert found is None or re.fullmatch(r"[!-~]+@[a-z0-9.-]+", found)
    assert found is None or not set(found) & set('<>" ,()[]\\')


@pytest.mark.parametrize(
    "written",
    [
        "",
        "x",
        "a@b.de, c@d.de",
        "A <a@b.de>, B <c@d.de>",
        "<a@b.de",
        "A\r\nBcc: x <a@b.de>",
        "A <>",
    ],
)
def test_a_sender_is_one_mailbox(written: str) -> None:
    with pytest.raises(ValueError, match="not one e-mail address; such as"):
        Mailbox.read(written)


def test_the_same_key_gives_the_same_message_id() -> None:
    assert _mail.message_id("0f8e7c", "example.com") == "<0f8e7c@example.com>"
    odd = _mail.message_id("key with >\r\n in it", "example.com")
    assert odd == _mail.message_id("key with >\r\n in it", "example.com")
    assert re.fullmatch(r"<[a-z2-7]{32}@example\.com>", odd)
    assert odd != _mail.message_id("key with >\r\n in it.", "example.com")


def test_unsubscribing_is_one_click_where_there_is_a_page_for_it() -> None:
    long = "https://example.com/" + "u" * 120 + "/{key}"
    both = letter(unsubscribe=Unsubscribe("stop@example.com", long).headers("k/1"))
    assert both["List-Unsubscribe"] == (
        f"<{long.replace('{key}', 'k%2F1')}>, <mailto:stop@example.com?subject=unsubscribe%20k/1>"
    )
    assert both["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    by_mail = letter(unsubscribe=Unsubscribe("stop@example.com").headers("k"))
    assert by_mail["List-Unsubscribe"] == "<mailto:stop@example.com?subject=unsubscribe%20k>"
    assert by_mail["List-Unsubscribe-Post"] is None
    assert Unsubscribe().headers("k") == {}


def test_the_carriers_domains_are_domains() -> None:
    assert len(CARRIERS) > 40
    assert all(_mail.address(f"5551234567@{domain}") for domain in CARRIERS)
    assert {"txt.att.net", "mms.att.net", "tmomail.net", "vtext.com", "vzwpix.com"} <= CARRIERS
    assert "messaging.sprintpcs.com" in CARRIERS


def test_what_goes_with_a_mail_comes_out_as_it_went_in() -> None:
    sound = bytes(range(256)) * 999
    mail = letter(
        attachments=(
            Attachment("voicemail-7.wav", "audio/wav", sound),
            Attachment("voicemail-8.gsm", "audio/gsm", b""),
        )
    )
    assert mail.get_content_type() == "multipart/mixed"
    assert content(mail, "plain") == "Hello,\n\nwe call back."
    assert "we call back." in content(mail, "html")
    found = list(mail.iter_attachments())
    assert [(a.get_filename(), a.get_content_type()) for a in found] == [
        ("voicemail-7.wav", "audio/wav"),
        ("voicemail-8.gsm", "audio/gsm"),
    ]
    assert found[0].get_content() == sound
    assert dict(mail.items()).keys() == HEADERS
