"""One thing that the API does: what it takes and gives stands in its function's annotations."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, get_type_hints

from pydantic import BaseModel

from pbx_bridge.core.roles import Role
from pbx_bridge.web.api.shapes import Empty

Run = Callable[..., Awaitable[Any]]

#: What may be refused to anybody, whatever is asked for.
ALWAYS = (400, 401, 403, 429, 503)


@dataclass(frozen=True)
class Operation:
    """A method on a path below /api/v1, and what it is for.

    Its function takes the visit and, by these names, what it wants of the request: `path`, `query`,
    `header`, `body`, each a model. It returns the model of the answer.
    """

    method: str
    path: str  #: such as `/calls/{id}`
    role: Role
    tag: str
    summary: str
    description: str
    run: Run
    status: int
    refuses: tuple[int, ...]  #: besides those of `ALWAYS`
    content_type: str  #: of the answer
    #: Whether the same again does nothing more (`If-Match` may stand before it).
    if_match: bool

    @property
    def name(self) -> str:
        return self.run.__name__

    @cached_property
    def _hints(self) -> dict[str, Any]:
        return get_type_hints(self.run)

    def takes(self, part: str) -> type[BaseModel]:
        """Give the model of a part of the request."""
        model: type[BaseModel] = self._hints.get(part, Empty)
        return model

    def wants(self, part: str) -> bool:
        """Tell whether the function asks for a part of the request."""
        return part in inspect.signature(self.run).parameters

    @cached_property
    def gives(self) -> type[BaseModel] | None:
        """The model of the answer; None if it has no body, or one that is no JSON."""
        model = self._hints["return"]
        return model if isinstance(model, type) and issubclass(model, BaseModel) else None


def operation(  # noqa: PLR0913 - what there is to say of one
    method: str,
    path: str,
    role: Role,
    *,
    tag: str,
    status: int = 200,
    refuses: tuple[int, ...] = (),
    content_type: str = "application/json",
    if_match: bool = False,
) -> Callable[[Run], Operation]:
    """Make an operation of a function; its docstring says what it does."""

    def made(run: Run) -> Operation:
        summary, _, rest = inspect.cleandoc(run.__doc__ or "").partition("\n")
        return Operation(
            method=method,
            path=path,
            role=role,
            tag=tag,
            summary=summary.rstrip("."),
            description=rest.strip(),
            run=run,
            status=status,
            refuses=refuses,
            content_type=content_type,
            if_match=if_match,
        )

    return made
