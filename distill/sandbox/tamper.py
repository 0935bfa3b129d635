"""What a solution may not do to its judges: replace what the tests check with, or define what equals everything.

Both are known tricks of models that were trained against tests. What is found: functions that are others when the solution has been
loaded, and classes whose instances equal a stranger. Code that attacks this process from within a call is not held off here.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Memory = list[tuple[str, Any, str, object]]


class TamperError(Exception):
    """A solution that changed its judges."""


def remember(modules: list[str]) -> Memory:
    """Every function and class of builtins and of these modules, and the methods of those classes."""
    memory: Memory = []
    for name in ("builtins", *modules):
        try:
            __import__(name)
        except Exception:  # the tests will fail at it themselves, or it is the solution's name
            continue
        module = sys.modules[name]
        spaces: dict[str, Any] = {name: vars(module)}
        spaces |= {f"{name}.{each}": vars(value) for each, value in vars(module).items() if isinstance(value, type)}
        for place, space in spaces.items():
            memory += [(place, space, each, value) for each, value in space.items() if callable(value)]
    return memory


def refuse_changes(memory: Memory) -> None:
    """No function is called here before all are known to be the old ones, and builtins are put back: we need them ourselves."""
    changed = None
    for place, space, name, value in memory:
        if name not in space or space[name] is not value:
            changed = changed or f"{place}.{name}"
            if place == "builtins":
                space[name] = value
    if changed:
        raise TamperError(f"the solution replaced {changed}, which its tests rely on")
    sys.settrace(None)
    sys.setprofile(None)


def refuse_equal_to_all(module: str) -> None:
    """Refuse classes of `module` whose instances say to be equal to an object that they cannot know."""
    stranger = object()
    for cls in _below(object):
        if cls.__module__ != module or "__eq__" not in vars(cls):
            continue
        try:
            equal = vars(cls)["__eq__"](cls.__new__(cls), stranger)
        except Exception:  # it looks at what a stranger does not have, as it should
            continue
        if equal is not NotImplemented and equal:
            raise TamperError(f"{cls.__qualname__} of the solution equals everything, so that no test can tell")


def _below(cls: type) -> Iterator[Any]:
    each: type
    for each in type.__subclasses__(cls):
        yield each
        yield from _below(each)
