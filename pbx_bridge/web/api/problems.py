"""What went wrong, for programs: RFC 9457, with what would be right."""

from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web
from pydantic import Field, ValidationError

from pbx_bridge.web.api.shapes import Given

CONTENT_TYPE = "application/problem+json"

#: Titles of refusals; the description has them too.
TITLES = {
    400: "The request cannot be read",
    401: "No token, or one that is not known",
    403: "Your role does not allow this",
    404: "There is no such thing",
    405: "That cannot be done here",
    409: "That cannot be done now",
    412: "It was changed meanwhile",
    413: "That is too much at once",
    415: "That is not JSON",
    422: "That makes no sense here",
    429: "Too many requests",
    500: "A mistake of ours",
    503: "The service cannot answer now",
}


class Mistake(Given):
    """One thing that is wrong with a request."""

    where: str = Field(
        description="such as `query.limit` or `body.numbers`", examples=["query.limit"]
    )
    problem: str = Field(
        description="what is wrong, and what would be right",
        examples=["Input should be less than or equal to 200"],
    )


class ProblemDetails(Given):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(description="always `about:blank`: the status tells the kind")
    title: str = Field(examples=["That makes no sense here"])
    status: int = Field(ge=400, le=599, examples=[422])
    detail: str = Field(
        description="what is wrong, and what would be right",
        examples=["'12' is no number of US; write it as +12125550143"],
    )
    errors: list[Mistake] = Field(default=[], description="each mistake, where there are several")


class Refusal(Exception):  # noqa: N818 - names the fact
    """A request is answered with a problem."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Iterable[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        super().__init__(detail)

    def response(self) -> web.Response:
        """Give the answer."""
        told = ProblemDetails(
            type="about:blank",
            title=TITLES.get(self.status, "That did not work"),
            status=self.status,
            detail=self.detail,
            errors=[Mistake(where=where, problem=problem) for where, problem in self.errors],
        )
        return web.Response(
            status=self.status,
            body=told.model_dump_json().encode(),
            content_type=CONTENT_TYPE,
            headers={"Cache-Control": "no-store", **self.headers},
        )


#: What to do about a refusal that says no more itself.
_ADVICE = {
    401: "send a token that is known: `Authorization: Bearer TOKEN`; an administrator makes one"
    " on the page, under API tokens",
    404: "there is nothing at this address; openapi.json lists all there is",
    405: "this method is not known here; the header Allow names those that are",
    500: "a mistake of ours; it is in the log",
}


def problem(status: int, detail: str) -> web.Response:
    """Answer a request to the API that the server refuses by itself."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}  # noqa: PLR2004
    return Refusal(status, detail or _ADVICE.get(status, ""), headers=headers).response()


def unreadable(part: str, error: ValidationError, known: Iterable[str]) -> Refusal:
    """Tell every mistake in a part of a request: `query`, `body`, `path` or `header`."""
    mistakes = [
        (".".join([part, *map(str, one["loc"])]), _said(one, known)) for one in error.errors()
    ]
    where, first = mistakes[0]
    more = f", and {len(mistakes) - 1} more" if len(mistakes) > 1 else ""
    return Refusal(400, f"{where}: {first}{more}", mistakes)


def no_such(what: str, which: Any) -> Refusal:
    """Tell that there is no such thing, or that it is forgotten by now."""
    return Refusal(404, f"there is no {what} {which}, or it is forgotten by now")


def _said(one: Any, known: Iterable[str]) -> str:
    message = str(one["msg"])
    if one["type"] == "extra_forbidden":
        return f"not known here; there is {', '.join(known) or 'nothing'}"
    return message.removeprefix("Value error, ")
