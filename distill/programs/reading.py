"""what a model wrote -> a program, the name it is called by, and tests of it. Nothing is run here."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable, Iterator

LONGEST = 40_000
"""Most characters of a program that is looked at."""
FENCE = re.compile(r"^[ \t]*```[ \t]*([\w+-]*)[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.M | re.S)
PYTHON = ("", "python", "python3", "py")
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def parsed(code: str) -> ast.Module | None:
    """The tree of a program, or None where it is none."""
    if len(code) > LONGEST:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\d" in a string
        try:
            return ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def blocks(text: str) -> Iterator[str]:
    """Blocks of Python between fences; the whole text where there is no fence."""
    fenced = FENCE.findall(text)
    yield from (code for language, code in fenced if language.lower() in PYTHON)
    if not fenced:
        yield text


def program(text: str, problem: str = "") -> str | None:
    """The first block that defines something, in the surroundings that the problem gives it.

    A problem that is code itself (its imports, helpers and the head of a function) comes first, and what is a part of a
    function goes on from there.
    """
    given = f"{problem.rstrip()}\n" if defined(problem) else ""
    for block in blocks(text):
        if defined(block):
            return f"{given}\n{block}" if given else block
        if given and defined(given + block) and not parsed(block):
            return given + block
    return None


def defined(code: str) -> dict[str, Definition]:
    """Functions and classes at the top of a program, by name; none where it is no program."""
    tree = parsed(code)
    return {} if tree is None else {node.name: node for node in tree.body if isinstance(node, Definition)}


def entry_point(code: str) -> str | None:
    """The name by which a program is used: the last definition that no other one uses."""
    found = {name: node for name, node in defined(code).items() if name != "main"}
    used = {
        part.id
        for name, node in found.items()
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and part.id != name
    }
    free = [name for name in found if name not in used] or list(found)
    return free[-1] if free else None


def tested(tests: str, codes: Iterable[str]) -> str | None:
    """What tests use of what programs define: the first solution may have given it another name."""
    tree = parsed(tests)
    used = [part.id for part in ast.walk(tree) if isinstance(part, ast.Name)] if tree is not None else []
    names = {name for code in codes for name in defined(code)}
    return next((name for name in used if name in names), None)


def signature(code: str, name: str) -> str:
    """How a definition is used: its head, of a class those of its methods."""
    node = defined(code)[name]
    heads = [node, *(part for part in node.body if isinstance(part, Definition) and isinstance(node, ast.ClassDef))]
    lines = []
    for head in heads:
        bare = ast.parse(ast.unparse(head)).body[0]
        assert isinstance(bare, Definition)
        bare.body, bare.decorator_list = [ast.Expr(ast.Constant(...))], []
        indent = "" if head is node else "    "
        lines.append(indent + ast.unparse(bare).rpartition("\n")[0])
    return "\n".join(lines)


def tests(text: str, names: frozenset[str]) -> str | None:
    """The tests in a text: statements that assert something, without definitions of what is tested.

    Args:
        names: what the solution defines. A copy of it among the tests would be tested in its place.
    """
    for block in blocks(text):
        tree = parsed(block) or parsed("\n".join(_asserts(block)))
        if tree is None:
            continue
        kept = [node for node in tree.body if not _copies(node, names)]
        if any(isinstance(part, ast.Assert) for node in kept for part in ast.walk(node)):
            return ast.unparse(ast.Module(kept, type_ignores=[]))
    return None


def _asserts(block: str) -> Iterator[str]:
    """Single lines that assert something and are whole."""
    for line in block.splitlines():
        line = line.strip()
        if line.startswith("assert ") and parsed(line):
            yield line


def _copies(node: ast.stmt, names: frozenset[str]) -> bool:
    """It defines or imports one of these names, or is a script's main part."""
    if isinstance(node, Definition):
        return node.name in names
    if isinstance(node, ast.ImportFrom):
        return any(alias.name in names or alias.name == "*" for alias in node.names)
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id in names for target in node.targets)
    return isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
