"""The nodes from the mix to the student, of every seed and of real rows alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from distill.engines.layers import LeastMissed
from distill.mix import real_only
from distill.names import REAL_ONLY, seeded
from distill.nodes.data import measured_nodes
from distill.nodes.node import Node
from distill.recipe import Recipe
from distill.score import stage as score
from distill.tokenise import stage as tokenise
from distill.train import layers, settings
from distill.train import stage as train
from distill.train.logits import Logits
from distill.train.student import Student


def train_nodes(recipe: Recipe, student: Student) -> Iterator[Node]:
    """From the mix to the student: its tokens, the layers that it can do without where they are to be found, what the
    teacher says of the rows where that is learnt, then one training after the other, each going on with the one before."""
    yield Node(
        "tokenise", 3, ("mix",), tokenise.Spec(student=student.model), tokenise.run, tokenise.VERSION,
        (student.model,), after=("guard",),
    )  # fmt: skip
    if isinstance(student.drop_layers, LeastMissed):
        measured = layers.Spec(
            model=student.model, drop=student.drop_layers, quantization=student.quantization,
            dtype=recipe.trainings[0].dtype, seed=recipe.seed,
        )  # fmt: skip
        yield Node(
            "layers", 3, ("mix", "tokenise"), measured, layers.run, layers.VERSION, (student.model,), launch="train",
        )  # fmt: skip
    scored = dict(score_nodes(recipe, student))
    yield from dict.fromkeys(scored.values())
    for number in range(1, recipe.evaluate.seeds + 1):
        yield from student_nodes(recipe, student, scored, number)
    if recipe.evaluate.real_only:
        yield from real_only_nodes(recipe, student)


def student_nodes(recipe: Recipe, student: Student, scored: Mapping[str, Node], number: int) -> Iterator[Node]:
    """The student of one seed: one training after the other, each going on with the one before.

    Args:
        number: of the seed; the first is the recipe's own.
    """
    model, found, after = student.references, found_layers(student), None
    seed = settings.seed_of(recipe.seed, number)
    for name, training in zip(recipe.train_names, recipe.trainings, strict=True):
        teacher = recipe.teacher if training.TEACHER else None
        asked = teacher.references if teacher else ()
        spec = settings.Spec(student=student, train=training, seed=seed, after=after, teacher=teacher)
        more = [*found, *([scored[name].name] if name in scored else []), *([after] if after else [])]
        own = seeded(name, number)
        yield Node(
            own, 4, ("mix", "tokenise", *more), spec, train.run, train.VERSION, (*model, *asked), (*model, *asked),
            "train",
        )  # fmt: skip
        after = own


def real_only_nodes(recipe: Recipe, student: Student) -> Iterator[Node]:
    """A student of the same base that learns from real rows alone, as many tokens in as many steps."""
    rows, tokens = f"mix@{REAL_ONLY}", f"tokenise@{REAL_ONLY}"
    measured = tuple(node.name for node in measured_nodes(recipe))
    yield Node(
        rows, 3, ("split", *measured, "filter", "mix"), real_only.Spec(seed=recipe.seed), real_only.run, real_only.VERSION,
    )  # fmt: skip
    yield Node(
        tokens, 3, (rows,), tokenise.Spec(student=student.model), tokenise.run, tokenise.VERSION, (student.model,),
        called={rows: "mix"},
    )  # fmt: skip
    # All real rows serve: one that no step could hold is left out rather than refused.
    training = recipe.trainings[0].model_copy(update={"too_long": "drop"})
    spec = settings.Matched(student=student, train=training, seed=recipe.seed, like="like")
    yield Node(
        f"train@{REAL_ONLY}", 4, (rows, tokens, "tokenise", *found_layers(student)), spec, train.run, train.VERSION,
        student.references, student.references, "train",
        called={rows: "mix", tokens: "tokenise", "tokenise": "like"},
    )  # fmt: skip


def found_layers(student: Student) -> tuple[str, ...]:
    """The node that finds the layers to be taken out, where they are not named."""
    return ("layers",) if isinstance(student.drop_layers, LeastMissed) else ()


def score_nodes(recipe: Recipe, student: Student) -> Iterator[tuple[str, Node]]:
    """What the teacher says of the rows, for every training that learns from it; those that ask the same share it."""
    trainings = dict(zip(recipe.train_names, recipe.trainings, strict=True))
    specs = {
        name: score.Spec(
            teacher=recipe.teacher, student=student.model, keep=training.keep, temperature=training.temperature
        )
        for name, training in trainings.items()
        if isinstance(training, Logits)
    }
    models = recipe.teacher.references
    first = {spec: name for name, spec in reversed(specs.items())}
    for name, spec in specs.items():
        own = "score" if len(first) == 1 else f"score/{first[spec].partition('/')[2]}"
        yield name, Node(
            own, 3, ("tokenise",), spec, score.run, score.VERSION, (*models, student.model), models, "score",
        )  # fmt: skip
