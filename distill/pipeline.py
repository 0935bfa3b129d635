"""The flow on one screen: a recipe becomes nodes, each with what it needs, what decides it, and what makes it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from distill.compare import stage as compare
from distill.context import Context
from distill.filter import stage as filtering
from distill.ingredients import ingredients
from distill.nodes.arms import evaluate_nodes, judge_nodes
from distill.nodes.data import data_nodes, filter_spec
from distill.nodes.node import Node
from distill.nodes.student import train_nodes
from distill.protocols import Accept
from distill.recipe import Recipe


def plan(recipe: Recipe) -> tuple[Node, ...]:
    """The nodes of a recipe, each after those it needs. Without a student it ends with the data."""
    data = data_nodes(recipe)
    if recipe.student is None:
        return data
    student, named = recipe.student, ingredients(recipe)
    nodes = (*data, *train_nodes(recipe, student), *evaluate_nodes(recipe, student), *judge_nodes(recipe, student))
    spec = compare.Spec(
        name=recipe.name, use=recipe.use, primary=recipe.evaluate.primary, seed=recipe.seed, trained=recipe.train_names,
        terms=recipe.terms, named=named, forgetting=recipe.evaluate.forgetting, guard=recipe.guard,
        real_text=recipe.evaluate.real_text, held_out=recipe.evaluate.held_out, nats=recipe.trainings[-1].nats,
    )  # fmt: skip
    read = (*((recipe.terms.registry,) if recipe.terms.registry else ()), *(one.ref for one in named))
    return (*nodes, Node("compare", 6, tuple(node.name for node in nodes), spec, compare.run, compare.VERSION, read))


def acceptance(recipe: Recipe, inputs: Mapping[str, Path], context: Context) -> Accept:
    """The recipe's filters, handed to generation so that it asks on until enough are accepted."""
    return filtering.acceptance(filter_spec(recipe), inputs, context)
