"""a program -> others that are wrong: trivial ones that do nothing, and ones with a single small fault.

Tests that let a trivial one pass test nothing. Of the faults a few may be none, since the program does the same with
them; so it is their share that tells something. Always the same ones of the same program.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import Any

from distill.programs.reading import Definition, parsed

CONSTANTS: tuple[object, ...] = (None, True, False, 0, 1, "", [])
"""What trivial programs return, whatever they are given; one more returns its first argument."""
COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
}
Functions = ast.FunctionDef | ast.AsyncFunctionDef


def trivial(code: str, name: str) -> list[str]:
    """The program with what it is called by reduced to one return: a function, or all methods of a class.

    Its helpers are left as they are, for tests may use them: to decode what was encoded proves nothing of a program
    whose two parts both do nothing.
    """
    made = []
    for value in (*CONSTANTS, ...):
        tree = parsed(code)
        assert tree is not None
        named = [node for node in tree.body if isinstance(node, Definition) and node.name == name]
        entries = named or tree.body  # without the name nothing tells helpers from it
        for node in (part for entry in entries for part in ast.walk(entry)):
            if isinstance(node, Functions):
                node.body = [_return(node, value)]
        made.append(ast.unparse(ast.fix_missing_locations(tree)))
    return list(dict.fromkeys(made))


def _return(node: Functions, value: object) -> ast.Return:
    arguments = [*node.args.posonlyargs, *node.args.args]
    names = [argument.arg for argument in arguments if argument.arg not in ("self", "cls")]
    if value is ...:
        return ast.Return(ast.Name(names[0], ast.Load()) if names else ast.Constant(None))
    return ast.Return(ast.List([], ast.Load()) if value == [] else ast.Constant(value))  # type: ignore[arg-type]


def mutants(code: str, most: int) -> list[str]:
    """Programs that differ from this one in one place, spread over it."""
    tree = parsed(code)
    assert tree is not None
    original = ast.unparse(tree)
    made = []
    for place, node in enumerate(ast.walk(tree)):
        for number in range(len(list(faults(node)))):
            other = copy.deepcopy(tree)
            target = next(part for index, part in enumerate(ast.walk(other)) if index == place)
            field, value = list(faults(target))[number]
            setattr(target, field, value)
            text = ast.unparse(ast.fix_missing_locations(other))
            if text != original:
                made.append(text)
    made = list(dict.fromkeys(made))
    return made if len(made) <= most else [made[index * len(made) // most] for index in range(most)]


def faults(node: ast.AST) -> Iterator[tuple[str, Any]]:
    """What may go wrong at a node: a field, and another value of it."""
    match node:
        case ast.Compare(ops=[operator, *others]):
            yield "ops", [COMPARISONS[type(operator)](), *others]
        case ast.BinOp(op=operator) | ast.AugAssign(op=operator) if type(operator) in OPERATORS:
            yield "op", OPERATORS[type(operator)]()
        case ast.BoolOp(op=operator):
            yield "op", ast.Or() if isinstance(operator, ast.And) else ast.And()
        case ast.UnaryOp(op=ast.Not()):
            yield "op", ast.UAdd()
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield "test", ast.UnaryOp(ast.Not(), test)
        case ast.Constant(value=bool() as value):
            yield "value", not value
        case ast.Constant(value=int() | float() as value):
            yield "value", value + 1
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield "value", ast.Constant(None)
