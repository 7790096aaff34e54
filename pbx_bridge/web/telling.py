"""What the service said, in another language: sayings, and plain English that was one once.

The database keeps what was said as English text. The catalogue of a language has every template
that the service fills; the template that such a text was made of is found again by its words.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property, lru_cache
from gettext import NullTranslations
from string import Formatter
from typing import Any

from babel import Locale, numbers
from babel.messages.catalog import Catalog

from pbx_bridge.core.call import Reason
from pbx_bridge.core.languages import LANGUAGES
from pbx_bridge.core.saying import Saying, sentence

#: So many letters of a template are enough to know a text by; else a value with a form of its own.
_LETTERS = 8
#: A text is looked into for other sayings so often.
_DEEPEST = 4
_LONGEST = 1000
#: How values look that are written in a certain way: what `strftime` makes of each code, numbers.
_CODES = {"%Y": r"\d{4}", **dict.fromkeys(("%m", "%d", "%H", "%M", "%S"), r"\d\d")}
_Form = tuple[str, Callable[[str], Any]]


class Telling:
    """Tells what the service said in the language of a catalogue.

    `named` translates a value that is one of the service's own short names, by its place.
    """

    def __init__(
        self,
        catalogue: Catalog,
        translations: NullTranslations,
        named: Callable[[str, str], str | None],
    ) -> None:
        self._catalogue = catalogue
        self._translations = translations
        self._named = named
        self._fill = _Fill(Locale.parse(catalogue.locale))
        self._recalled = lru_cache(maxsize=4096)(self._recall)

    def tell(self, said: str) -> str:
        """Say it in this language; what nobody translated stays as it is."""
        return self._tell(said, _DEEPEST)

    def _tell(self, said: str, depth: int) -> str:
        if not isinstance(said, Saying):
            found = self._recalled(said) if depth and len(said) <= _LONGEST else None
            if found is None:
                return said
            said = found
        if said.many:
            form = self._translations.ngettext(said.template, said.many, said.values["n"])
        else:
            form = self._translations.gettext(said.template) if said.template else ""
        values = {name: self._value(name, value, depth) for name, value in said.values.items()}
        text = self._fill.vformat(form, (), values)
        return sentence(text) if said.whole else text

    def _value(self, name: str, value: Any, depth: int) -> Any:
        if not isinstance(value, str):
            return value
        named = self._named(name, str(value))
        return self._tell(value, depth - 1) if named is None else named

    def _recall(self, text: str) -> Saying | None:
        """Find the template that a text was made of, and what filled it."""
        for template in self._templates:
            if values := template.read(text):
                return Saying.of(template.one, values[0], many=template.many)
        return None

    @cached_property
    def _templates(self) -> "list[_Template]":
        """Every template that can be recognised; those that say the most first."""
        ids = [one.id for one in self._catalogue if one.id]
        both = [(one, "") if isinstance(one, str) else (one[0], one[1]) for one in ids]
        made = [_Template(*forms) for forms in both]
        return sorted((one for one in made if one.is_plain), key=lambda one: -one.letters)


class _Fill(Formatter):
    """Fills templates, and writes numbers as they are written in a language."""

    def __init__(self, locale: Locale) -> None:
        self._locale = locale

    def format_field(self, value: Any, format_spec: str) -> Any:
        if isinstance(value, float):
            places = re.fullmatch(r"\.(\d)f", format_spec)
            form = "#,##0" + ("." + "0" * int(places[1]) if places and places[1] != "0" else "")
            return numbers.format_decimal(value, form, locale=self._locale)
        return super().format_field(value, format_spec)


class _Template:
    """A template as its texts are recognised by it."""

    def __init__(self, one: str, many: str) -> None:
        self.one, self.many = one, many
        self._forms: dict[str, _Form] = {}
        patterns = [self._pattern(form) for form in ((one, many) if many else (one,))]
        self._texts = [re.compile(pattern, re.DOTALL) for pattern in patterns]
        words = "".join(words for words, *_ in Formatter().parse(one))
        self.letters = sum(map(str.isalpha, words))
        strict = any(form is not _ANYTHING for form in self._forms.values())
        self.is_plain = self.letters >= _LETTERS or strict or not self._forms

    def read(self, text: str) -> list[Mapping[str, Any]]:
        """Give what filled the template, in a list; an empty one if this text is not of it."""
        for pattern in self._texts:
            if match := pattern.fullmatch(text):
                try:
                    return [{k: self._forms[k][1](v) for k, v in match.groupdict().items()}]
                except ValueError:
                    continue
        return []

    def _pattern(self, form: str) -> str:
        return "".join(self._pieces(form))

    def _pieces(self, form: str) -> Iterator[str]:
        seen: set[str] = set()
        for words, name, spec, _ in Formatter().parse(form):
            yield re.escape(words)
            if name is None:
                continue
            if name in seen:
                yield f"(?P={name})"
                continue
            seen.add(name)
            self._forms[name] = _form(name, spec or "")
            yield f"(?P<{name}>{self._forms[name][0]})"


def _form(name: str, spec: str) -> _Form:
    """Tell what a value looks like, and how it is read."""
    if name == "n":
        return r"\d+", int
    if name == "reason":
        return "|".join(Reason), str
    if re.fullmatch(r"\.\df", spec):
        return r"-?\d+(?:\.\d+)?", float
    if "%" in spec:
        pattern = re.sub(r"%\w", lambda code: _CODES[code[0]], re.escape(spec).replace(r"\%", "%"))
        return pattern, lambda said: datetime.strptime(said, spec)  # noqa: DTZ007 - only shown
    return _ANYTHING


_ANYTHING: _Form = (".+", str)


def names_of_languages(locale: str) -> dict[str, str]:
    """Give what the languages that the service knows are called here, by their English names."""
    names = Locale.parse(locale).languages
    return {one.name: names.get(code, one.name) for code, one in LANGUAGES.items()}
