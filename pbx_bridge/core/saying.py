"""What the service says, in English, knowing still of what it was put together.

Whoever logs, stores or prints a saying has a string like any other. The page takes its template,
finds the words of another language for it, and fills them with the same values.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Saying(str):
    """A string that was made of a template (as of `str.format`) and values.

    Values may be sayings. `many` is the template for more than one of `values["n"]`, or empty.
    A `whole` one is a sentence by itself: it begins with a capital and ends with a full stop.
    """

    __slots__ = ("many", "template", "values", "whole")
    template: str
    many: str
    values: Mapping[str, Any]
    whole: bool

    @classmethod
    def of(
        cls, template: str, values: Mapping[str, Any], *, many: str = "", whole: bool = False
    ) -> "Saying":
        form = template if not many or values["n"] == 1 else many
        text = form.format_map(values)
        said = cls(sentence(text) if whole else text)
        said.template, said.many, said.values, said.whole = template, many, values, whole
        return said


def say(template: str, /, **values: Any) -> Saying:
    """Fill a template, which stands in the catalogues of other languages as it is written here."""
    return Saying.of(template, values)


def say_n(one: str, many: str, n: int, /, **values: Any) -> Saying:
    """Fill one template for a count of one, another for any other; both may name it `{n}`."""
    return Saying.of(one, {"n": n, **values}, many=many)


def whole(said: str) -> Saying:
    """Make a sentence of what is said."""
    return Saying.of("{said}", {"said": said}, whole=True)


def joined(parts: Iterable[str], between: str) -> Saying:
    """Put what is said one after the other, with something between."""
    values = {f"p{place}": part for place, part in enumerate(parts)}
    return Saying.of(between.join(f"{{{name}}}" for name in values), values)


def sentence(text: str) -> str:
    """Write a text as a sentence: a capital first, a full stop last."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"
