"""An e-mail, from what is hostile to bytes: addresses, headers, plain text and simple HTML.

The old header classes of `email` (policy `compat32`) are used on purpose. The newer ones decode
`=?utf-8?q?…?=` in a value that they are given, which is how a customer could write header lines of
his own (CVE-2024-6923), and they break long List-Unsubscribe addresses by encoding them.
"""

import hashlib
import re
from base64 import b32encode
from dataclasses import dataclass
from datetime import datetime
from email.charset import QP, Charset
from email.encoders import encode_base64
from email.header import Header
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, formataddr
from html import escape
from unicodedata import normalize
from urllib.parse import quote

from pbx_bridge.core.attachment import Attachment
from pbx_bridge.core.text import clean

#: Domains whose mail carriers made texts of: shut down, unreliable or about to be, and never meant
#: for businesses (sigspan.com/carrier-gateway-shutdown, 2026-05-13). The domains that serve nothing
#: else are from email2sms.csv of github.com/mfitzp/List_of_SMS_gateways, USA and Canada.
# fmt: off
CARRIERS = frozenset({
    "cingularme.com", "cspire1.com", "cwemail.com",
    "email.uscc.net", "hawaii.sprintpcs.com", "mailmymobile.net",
    "message.alltel.com", "message.ting.com", "messaging.sprintpcs.com",
    "mmode.com", "mms.alltel.net", "mms.alltelwireless.com",
    "mms.att.net", "mms.cricketwireless.net", "mms.mycricket.com",
    "mms.telusmobility.com", "mms.uscc.net", "mmst5.tracfone.com",
    "mmsviaero.com", "mobile.mycingular.com", "msg.fi.google.com",
    "msg.telus.com", "myboostmobile.com", "mymetropcs.com",
    "mypixmessages.com", "pcs.rogers.com", "pm.sprint.com",
    "qwestmp.com", "sms.alltelwireless.com", "sms.cricketwireless.net",
    "sms.fido.ca", "sms.myboostmobile.com", "sms.mycricket.com",
    "sms.rogers.com", "sms.sasktel.com", "text.wireless.alltel.com",
    "tmomail.net", "txt.att.net", "txt.bell.ca",
    "txt.bellmobility.ca", "txt.windmobile.ca", "viaerosms.com",
    "vmobile.ca", "vmobl.com", "vmpix.com",
    "vtext.com", "vzwpix.com",
})
# fmt: on

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@({_LABEL}(?:\.{_LABEL})+)", re.ASCII)
LONGEST_LOCAL, LONGEST_ADDRESS = 64, 254  # RFC 5321, 4.5.3.1

_MAILBOX = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]+)>|(?P<bare>[^<>\s]+)")
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_LINK = re.compile(r"https?://[^\s<>\"'`]+")
_AFTER_LINK = ".,;:!?)]}"
LONGEST_SUBJECT = 200

UTF8 = Charset("utf-8")
UTF8.body_encoding = QP  # passes every server, and most of it stays readable in a log


def address(written: str) -> str | None:
    """Give an address as it goes over the wire (RFC 5321: one mailbox), or None if it is none.

    Neither display names nor quotes, comments, literals or line breaks. A domain may be written in
    any script; what stands before the @ must be ASCII (SMTPUTF8 is not spoken).
    """
    if not written.isascii():
        local, at, domain = written.rpartition("@")
        if normalize("NFKC", domain) != domain:  # a look-alike of a dot, and worse
            return None
        try:
            written = f"{local}{at}{domain.encode('idna').decode()}"
        except UnicodeError:
            return None
    found = _ADDRESS.fullmatch(written)
    if found is None or len(written) > LONGEST_ADDRESS or len(found[1]) > LONGEST_LOCAL:
        return None
    return f"{found[1]}@{found[2].lower()}"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Who a mail is from: an address, and the name before it."""

    name: str
    address: str

    @classmethod
    def read(cls, written: str) -> "Mailbox":
        """Read `Miller & Sons <office@example.com>` or `office@example.com`.

        Raises:
            ValueError: it is not of that form.

        """
        found = _MAILBOX.fullmatch(written.strip())
        plain = address(found["address"] or found["bare"]) if found else None
        if found is None or plain is None or one_line(written) != written.strip():
            raise ValueError(
                "not one e-mail address; such as office@example.com or"
                ' "Miller & Sons <office@example.com>"'
            )
        name = (found["name"] or "").strip().strip('"')
        return cls(name, plain)

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    def header(self) -> str:
        """Give it for a header: the name quoted or encoded as it needs to be."""
        return formataddr((self.name, self.address), UTF8)


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Where a customer's mail program can turn to (RFC 2369), also by one click (RFC 8058)."""

    mail: str = ""  #: an address
    url: str = ""  #: `https://…{key}…`

    def headers(self, key: str) -> dict[str, str]:
        ways = []
        if self.url:
            ways.append(f"<{self.url.replace('{key}', quote(key, safe=''))}>")
        if self.mail:
            subject = quote(f"unsubscribe {key}")
            ways.append(f"<mailto:{quote(self.mail, safe='@')}?subject={subject}>")
        if not ways:
            return {}
        by_click = {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if self.url else {}
        return {"List-Unsubscribe": ", ".join(ways), **by_click}


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What an e-mail is made from. `subject` and `body` may be anything."""

    sender: Mailbox
    to: str
    subject: str
    body: str
    message_id: str
    at: datetime
    reply_to: str = ""
    in_answer: bool = False  #: to something that the customer sent
    unsubscribe: dict[str, str]
    attachments: tuple[Attachment, ...] = ()

    def as_bytes(self) -> bytes:
        """Write it down, in ASCII with CR LF: fit for every server."""
        words = self._words()
        mail = words if not self.attachments else MIMEMultipart("mixed", None, [words])
        for attachment in self.attachments:
            mail.attach(_part(attachment))
        mail["From"] = self.sender.header()
        mail["To"] = self.to
        mail["Subject"] = _encoded(one_line(self.subject)[:LONGEST_SUBJECT], "Subject")
        mail["Date"] = format_datetime(self.at)
        mail["Message-ID"] = self.message_id
        if self.reply_to:
            mail["Reply-To"] = self.reply_to
        # RFC 3834: holiday notices and other machines do not answer to this.
        mail["Auto-Submitted"] = "auto-replied" if self.in_answer else "auto-generated"
        for name, value in self.unsubscribe.items():
            mail[name] = value
        # Folded are only the encoded words: a List-Unsubscribe must stay whole.
        return mail.as_bytes(policy=compat32.clone(linesep="\r\n", max_line_length=998))

    def _words(self) -> MIMEMultipart:
        words = MIMEMultipart("alternative")
        body = harmless(self.body)
        for kind, content in (("plain", body), ("html", html(body))):
            words.attach(MIMEText(content, kind, UTF8))  # type: ignore[arg-type] # typed too narrowly
        return words


def _part(attachment: Attachment) -> MIMEBase:
    part = MIMEBase(*attachment.kind.split("/", 1), name=attachment.name)
    part.set_payload(attachment.content)
    encode_base64(part)
    part.add_header("Content-Disposition", "attachment", filename=attachment.name)
    return part


def message_id(key: str, domain: str) -> str:
    """Give the Message-ID of the message with our `key`: always the same."""
    if _KEY.fullmatch(key) is None or ".." in key or key.endswith("."):
        digest = hashlib.sha256(key.encode(errors="surrogatepass")).digest()
        key = b32encode(digest[:20]).decode().lower()
    return f"<{key}@{domain}>"


def harmless(words: str) -> str:
    """Drop what could forge or disguise text; lines stay lines."""
    lines = words.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    return clean(lines).encode(errors="replace").decode()  # lone surrogates cannot be sent


def one_line(words: str) -> str:
    """Make text fit for a header."""
    return " ".join(harmless(words).split())


def html(words: str) -> str:
    """Write plain text as HTML: paragraphs, lines, and links where it says https:// or http://."""
    paragraphs = "".join(
        f"<p>{'<br>'.join(map(_html_line, paragraph.split(chr(10))))}</p>\n"
        for paragraph in re.split(r"\n{2,}", words.strip("\n"))
    )
    return (
        '<!doctype html>\n<html><head><meta charset="utf-8"></head>\n'
        f'<body style="font-family: sans-serif">\n{paragraphs}</body></html>\n'
    )


def _html_line(line: str) -> str:
    written, end = "", 0
    for found in _LINK.finditer(line):
        url = found[0].rstrip(_AFTER_LINK)
        link = escape(url)
        written += f'{escape(line[end : found.start()])}<a href="{link}">{link}</a>'
        end = found.start() + len(url)
    return written + escape(line[end:])


def _encoded(value: str, header: str) -> str:
    """Encode a header's text where it is not plain ASCII, in words of at most 75 characters.

    What looks like such an encoding already is encoded too: it would be read as something else.
    """
    if value.isascii() and "=?" not in value:
        return value
    return Header(value, UTF8, maxlinelen=75, header_name=header).encode()
