"""What can be configured about words: variables, translations, and replies."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from pbx_bridge.config.values import (
    Answer,
    LanguageCode,
    Name,
    Switch,
    Template,
    did_you_mean,
    misplaced,
)
from pbx_bridge.core.call import Reason
from pbx_bridge.core.keywords import simplified
from pbx_bridge.core.languages import LANGUAGES, SPOKEN, language
from pbx_bridge.core.reply import Meaning
from pbx_bridge.core.variables import NAME, VARIABLES
from pbx_bridge.core.vocabulary import VOCABULARIES
from pbx_bridge.core.wording import Wording

_SETTABLE = "booking_link"  # the one variable in the table that is an office's own


def _named(values: dict[str, str]) -> dict[str, str]:
    for name in values:
        if name in VARIABLES and name != _SETTABLE:
            raise misplaced("filled in by itself; choose another name", name)
        if not NAME.fullmatch(name):
            raise misplaced(
                "not a name for a variable; small letters, digits and _, such as booking_link", name
            )
    return values


Variables = Annotated[
    dict[
        str, Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    ],
    AfterValidator(_named),
]
"""[texting.variables]: an office's own, by name."""


def given_variables(tables: Mapping[str, Any]) -> set[str]:
    """Name the variables that the tables of a file give a value to, right or wrong."""
    texting, office = tables.get("texting"), tables.get("office")
    own = texting.get("variables") if isinstance(texting, dict) else None
    given = set(own) if isinstance(own, dict) else set()
    if isinstance(office, dict) and "number" in office:
        given.add("office_number")
    return given


def own_languages(tables: Mapping[str, Any]) -> set[str]:
    """Name the languages that the tables of a file have a translation into."""
    texting = tables.get("texting")
    listed = texting.get("translations") if isinstance(texting, dict) else None
    tables_in = listed if isinstance(listed, list) else []
    found = [one.get("language") for one in tables_in if isinstance(one, dict)]
    return {code for code in found if isinstance(code, str)}


def our_text(code: str, reason: str) -> str:
    """Give our own first text in a language to a caller who was missed for this reason."""
    ours = language(code)
    return ours.voicemail_text if reason == Reason.VOICEMAIL_MESSAGE else ours.first_text


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Translation(_Table):
    """[[texting.translations]]: the texts in one more language."""

    language: LanguageCode = Field(description="two letters as in ISO 639-1", examples=["es"])
    template: Template | None = Field(
        default=None,
        description="the text in this language",
        examples=[LANGUAGES["es"].first_text],
    )
    reasons: dict[str, Template] = Field(
        default={},
        description="texts in this language for calls missed in one particular way",
        examples=['{ busy = "Hola, somos {office}." }'],
    )

    @field_validator("reasons")
    @classmethod
    def _known_reasons(cls, texts: dict[str, str]) -> dict[str, str]:
        for name in texts:
            if name not in list(Reason):
                raise misplaced(f"no such reason; {did_you_mean(name, list(Reason))}", name)
        return texts

    @model_validator(mode="after")
    def _has_a_text(self) -> Self:
        if self.template is None and self.language not in LANGUAGES:
            raise ValueError("template is missing: there is none of ours in this language; add it")
        return self

    def template_for(self, reason: str) -> str:
        """Give the text for a reason, in this language."""
        return self.reasons.get(reason) or self.template or our_text(self.language, reason)


class Answers(_Table):
    """What we answer to words that ask for something; by default, our own texts."""

    opt_out: Answer | None = Field(
        default=None, description="answers STOP", examples=[LANGUAGES["en"].opted_out]
    )
    opt_in: Answer | None = Field(
        default=None, description="answers START", examples=[LANGUAGES["en"].opted_in]
    )
    help: Answer | None = Field(
        default=None,
        description="answers HELP: names the office and a contact",
        examples=[LANGUAGES["en"].help],
    )

    def texts(self) -> dict[Meaning, str]:
        """Give those that are the office's own."""
        written = {
            Meaning.OPT_OUT: self.opt_out,
            Meaning.OPT_IN: self.opt_in,
            Meaning.HELP: self.help,
        }
        return {meaning: text for meaning, text in written.items() if text is not None}


class TranslatedAnswers(Answers):
    """[[replies.translations]]: the answers in one more language."""

    language: LanguageCode = Field(description="two letters as in ISO 639-1", examples=["es"])


def _with_letters(word: str) -> str:
    if not simplified(word):
        raise ValueError("nothing but punctuation; a word or a short phrase")
    return word


Word = Annotated[Name, AfterValidator(_with_letters)]


class Replies(Answers):
    """[replies]: what callers write back."""

    confirm: Switch = Field(
        default=True,
        description="whether to answer STOP, START and HELP, where the gateway does not",
        examples=[True],
    )
    languages: tuple[str, ...] = Field(
        default=(),
        description="languages whose words for STOP, START and HELP are understood",
        examples=[["en", "es"]],
    )
    urgent_words: tuple[Word, ...] | None = Field(
        default=None,
        description="words anywhere in a reply that make it urgent",
        examples=[["urgent", "emergency"]],
    )
    extra_opt_out: tuple[Word, ...] = Field(
        default=(),
        description="more words that mean STOP when they are the whole reply",
        examples=[["no thanks"]],
    )
    translations: tuple[TranslatedAnswers, ...] = ()

    @field_validator("languages")
    @classmethod
    def _known_languages(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        for index, code in enumerate(codes):
            if code not in VOCABULARIES:
                raise misplaced(
                    f"no words known in this language; {did_you_mean(code, VOCABULARIES)}", index
                )
        return codes

    def wording(  # noqa: PLR0913 - the parts of the file
        self,
        *,
        office: str,
        office_number: str | None,
        country: str,
        zone: ZoneInfo,
        language: str,
        line_languages: Sequence[str],
        by_region: Mapping[str, str],
        variables: Mapping[str, str],
    ) -> Wording:
        """Give the office's words. STOP is understood in English too, whatever else is spoken."""
        spoken = ["en", language, *SPOKEN.get(country, ()), *line_languages, *by_region.values()]
        understood = self.languages or tuple(c for c in dict.fromkeys(spoken) if c in VOCABULARIES)
        answers = {one.language: one.texts() for one in self.translations}
        answers[language] = self.texts() | answers.get(language, {})
        return Wording(
            office=office,
            office_number=office_number or "",
            variables=variables,
            zone=zone,
            language=language,
            by_region=by_region,
            answers=answers,
            confirm=self.confirm,
            understood=understood if "en" in understood else ("en", *understood),
            urgent_words=self.urgent_words,
            extra_opt_out=self.extra_opt_out,
        )
