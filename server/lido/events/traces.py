"""Spans of what takes time, for whoever looks at traces. Without `use`, each call costs one comparison."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_tracer: Tracer | None = None
_NOTHING: AbstractContextManager[Any] = nullcontext()

Function = TypeVar("Function", bound=Callable[..., Any])
Attribute = str | int | float | bool | None


def use(tracer: Tracer | None) -> None:
    """From now on spans go to `tracer` (OpenTelemetry's), or nowhere."""
    global _tracer
    _tracer = tracer


def span(name: str, **attributes: Attribute) -> AbstractContextManager[Any]:
    """A span, inside of the one that is running in this task or thread."""
    if _tracer is None:
        return _NOTHING
    # An error's text may quote a prompt: its type is told by whoever knows it.
    return _tracer.start_as_current_span(
        name, attributes=_known(attributes), record_exception=False, set_status_on_exception=False
    )


def traced(name: str) -> Callable[[Function], Function]:
    """A span around each call of a function or coroutine function."""

    def around(function: Function) -> Function:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def later(*args: Any, **kwargs: Any) -> Any:
                if _tracer is None:
                    return await function(*args, **kwargs)
                with span(name):
                    return await function(*args, **kwargs)

            return cast(Function, later)

        @functools.wraps(function)
        def now(*args: Any, **kwargs: Any) -> Any:
            with span(name):
                return function(*args, **kwargs)

        return cast(Function, now)

    return around


def happened(name: str) -> None:
    """A moment within the running span."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().add_event(name)


def annotate(attributes: Mapping[str, Attribute]) -> None:
    """More about the running span; what is None is left out."""
    if _tracer is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes(_known(attributes))


def _known(attributes: Mapping[str, Attribute]) -> dict[str, str | int | float | bool]:
    return {name: value for name, value in attributes.items() if value is not None}
