"""The shape of the package: who may import whom, what is heavy, how long a file and a function may be."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "distill"
LEVELS = {
    "errors": 0,
    **dict.fromkeys(("described", "evidence", "names", "recipe_file", "refusals", "rows", "words", "yaml_errors"), 1),
    **dict.fromkeys(("context", "endpoint", "job", "languages", "protocols", "start", "trackers"), 2),
    **dict.fromkeys(("card_terms", "cards", "croissant", "engines"), 3),
    **dict.fromkeys(("forms", "grounding", "mathematics", "programs", "templates"), 3),
    **dict.fromkeys(
        (
            "agreement",
            "collapse",
            "judge",
            "quotas",
            "sandbox",
            "soft_targets",
            "sources",
            "split",
            "statistics",
            "suites",
            "terms",
        ),
        3,
    ),
    **dict.fromkeys(("generate", "filter", "mix", "score", "tokenise", "train", "evaluate", "compare"), 4),
    **dict.fromkeys(("consistency", "ingredients", "laboratory", "load", "problems", "recipe"), 5),
    "artifacts": 6,
    **dict.fromkeys(("nodes", "pipeline", "workspace"), 7),
    **dict.fromkeys(
        (
            *(
                "alone",
                "comparing",
                "compatibility",
                "export",
                "filtering",
                "intent",
                "launch",
                "passing",
                "show",
                "steps",
                "generations",
            ),
            *("slurm", "trail"),
        ),
        8,
    ),
    **dict.fromkeys(
        ("evaluated", "finished", "leaving", "laboratories", "options", "push", "results", "tracking", "watching"), 8
    ),
    "cli": 9,
}
STAGES = 4
HEAVY = (
    "accelerate",
    "bitsandbytes",
    "datasets",
    "datatrove",
    "lm_eval",
    "math_verify",
    "peft",
    "sacrebleu",
    "torch",
    "transformers",
    "trl",
)
ADAPTERS = "distill.engines.adapters"
FILES = sorted(PACKAGE.rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def imports(nodes: Iterable[ast.AST], deep: bool) -> Iterator[str]:
    """Modules that are imported when these statements run, without those for type checkers only.

    Args:
        deep: those inside functions too.
    """
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports(node.orelse, deep)
        elif deep or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(ast.iter_child_nodes(node), deep)


def body(module: str) -> list[ast.stmt]:
    return ast.parse(MODULES[module].read_text(encoding="utf-8")).body


def level(module: str) -> int:
    part = module.split(".")[1]
    assert part in LEVELS, f"give distill/{part} a level in {__file__}"
    return LEVELS[part]


def edges(module: str) -> set[str]:
    """Modules of this package that a module imports, anywhere in it."""
    return {name for name in imports(body(module), deep=True) if name in MODULES and name not in ("distill", module)}


@pytest.mark.parametrize("module", [name for name in MODULES if name != "distill"])
def test_imports_point_down(module: str) -> None:
    for other in edges(module):
        same_part = module.split(".")[1] == other.split(".")[1]
        assert level(other) <= level(module), f"{module} (level {level(module)}) imports {other} ({level(other)})"
        assert same_part or level(module) != STAGES or level(other) != STAGES, f"{module} imports its sibling {other}"


def test_there_is_no_circle() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for other in sorted(edges(module)):
                visit(other, (*path, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


def test_package_files_hold_a_docstring_at_most() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        nodes = ast.parse(path.read_text(encoding="utf-8")).body
        assert all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in nodes), path


@pytest.mark.parametrize("module", MODULES)
def test_heavy_packages_are_imported_where_they_are_used(module: str) -> None:
    found = {name.split(".")[0] for name in imports(body(module), deep=False)} & set(HEAVY)
    assert not found, f"{module} imports {found} when it is imported itself: move that into the function"


def test_peft_is_named_in_one_file() -> None:
    naming = {name for name in MODULES if any(each.split(".")[0] == "peft" for each in imports(body(name), deep=True))}
    assert naming <= {ADAPTERS}


def test_a_recipe_is_read_without_heavy_packages() -> None:
    blocked = ", ".join(repr(name) for name in (*HEAVY, "numpy", "pyarrow"))
    code = f"import sys; sys.modules.update(dict.fromkeys(({blocked}))); import distill.load; import distill.cli"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent, timeout=60)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_files_and_functions_are_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            assert lines <= 60, f"{path.name}: {node.name} has {lines} lines"


def test_nothing_is_called_utils() -> None:
    assert not list(PACKAGE.rglob("util*"))


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(ast.parse(MODULES[module].read_text(encoding="utf-8"))), module
