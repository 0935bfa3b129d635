"""The tests that a module of tests only defines: functions, classes and unittest's cases, found and called.

Tests come as statements, which have run when the module was read, or as definitions in the manner of pytest and unittest. A
definition that nobody calls would pass whatever the solution does. Fixtures and parameters are pytest's business: tests that ask
for them fail.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType


def run_cases(tests: ModuleType, given: Mapping[str, object]) -> None:
    """Call every test that `tests` defines, in the order of definition; the first that fails raises.

    Args:
        given: names that the module was given, which are not its own.
    """
    unittest = sys.modules.get("unittest")
    own = [(name, value) for name, value in vars(tests).items() if value is not given.get(name, tests)]
    for name, value in own:
        if isinstance(value, type):
            if unittest is not None and issubclass(value, unittest.TestCase):
                continue
            if name.startswith("Test") and value.__module__ == tests.__name__:
                for method in [method for method in vars(value) if method.startswith("test")]:
                    _call(getattr(value(), method))
        elif name.startswith("test") and callable(value):
            _call(value)
    if unittest is not None:
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromModule(tests).run(result)
        for case, text in [*result.errors, *result.failures]:
            raise AssertionError(f"{case}: {text}")
        if result.unexpectedSuccesses:
            raise AssertionError(f"{result.unexpectedSuccesses[0]} was expected to fail")


def _call(test: Callable[[], object]) -> None:
    """Run one test; one that is a coroutine too."""
    waiting = test()
    if hasattr(waiting, "__await__"):
        import asyncio

        asyncio.run(_await(waiting))


async def _await(waiting: object) -> None:
    await waiting  # type: ignore[misc]
