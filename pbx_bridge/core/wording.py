"""How the office speaks to its callers, and which of their words it understands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from pbx_bridge.core.languages import language
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.text import LONGEST, fill, shorten


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """The office's settings about words. Languages are ISO 639-1 codes: `en`, `es`."""

    office: str = ""
    office_number: str = ""  #: to call back; empty if the office does not say
    variables: Mapping[str, str] = field(default_factory=dict)  #: the office's own, for templates
    zone: tzinfo = UTC  #: in which it tells times
    language: str = "en"
    by_region: Mapping[str, str] = field(default_factory=dict)  #: language by the number's region
    #: Answers of the office's own, by language; where there is none, ours.
    answers: Mapping[str, Mapping[Meaning, str]] = field(default_factory=dict)
    confirm: bool = True  #: answer STOP, START and HELP at all
    understood: tuple[str, ...] = ("en",)  #: languages of the words in replies
    urgent_words: tuple[str, ...] | None = None  #: instead of those of the languages understood
    extra_opt_out: tuple[str, ...] = ()

    def language_for(self, line: str, region: str) -> str:
        """Choose a language: the line's own, else the region's, else the office's."""
        return line or self.by_region.get(region) or self.language

    def values(self) -> dict[str, str]:
        """Give what templates can say without a call."""
        return {
            "booking_link": "",
            **self.variables,
            "office": self.office,
            "office_number": self.office_number,
        }

    def confirmation(self, meaning: Meaning, code: str = "") -> str | None:
        """Answer STOP, START or HELP in a language (the office's if none is named), or not at all.

        It names the office; the answer to HELP also whom to call (CTIA, carriers).
        """
        template = self.answer(meaning, code)
        return None if template is None else shorten(fill(template, self.values()), LONGEST)

    def answer(self, meaning: Meaning, code: str = "") -> str | None:
        """Give the template of a confirmation."""
        ours = language(code or self.language)
        built_in = {
            Meaning.OPT_OUT: ours.opted_out,
            Meaning.OPT_IN: ours.opted_in,
            Meaning.HELP: ours.help,
        }
        if not self.confirm or meaning not in built_in:
            return None
        own = self.answers.get(code or self.language, {})
        return own.get(meaning, built_in[meaning])
