"""The flow on one screen: a recipe becomes nodes, each with what it needs, what decides it, and what makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from distill import artifacts, split
from distill.compare import stage as compare
from distill.context import Context, Resolved
from distill.engines.layers import LeastMissed
from distill.evaluate import settings as evaluation
from distill.evaluate import stage as evaluate
from distill.filter import stage as filtering
from distill.generate import benchmark, heldout
from distill.generate import stage as generate
from distill.generate.settings import Spec as GenerateSpec
from distill.ingredients import ingredients
from distill.judge import settings as judging
from distill.judge import stage as judge
from distill.mix import real_only
from distill.mix import stage as mix
from distill.names import REAL_ONLY, folder_name, seeded, stage
from distill.protocols import Accept, Summary
from distill.recipe import Recipe
from distill.rows import Frozen
from distill.score import stage as score
from distill.suites import named
from distill.suites import stage as suites
from distill.tokenise import stage as tokenise
from distill.train import layers, settings
from distill.train import stage as train
from distill.train.logits import Logits
from distill.train.student import Student

Run = Callable[..., Summary]


@dataclass(frozen=True)
class Node:
    """One step of a plan."""

    name: str
    """`train`, `evaluate/student`, …"""
    order: int
    """Number of its folder in the run."""
    needs: tuple[str, ...]
    spec: Frozen
    run: Run
    version: int
    sources: tuple[str, ...] = ()
    """References in the spec."""
    stamped: tuple[str, ...] = ()
    """References whose terms it writes into what it makes."""
    launch: str | None = None
    """Key of `runtime.launch` that says how its processes are started; None runs in the calling process."""
    called: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What the stage calls some of its needs: `mix@real_only` is the mix to a training on it."""

    @property
    def folder(self) -> str:
        """`5-evaluate-student`: its name in the run folder."""
        return f"{self.order}-{folder_name(self.name)}"


def plan(recipe: Recipe) -> tuple[Node, ...]:
    """The nodes of a recipe, each after those it needs. Without a student it ends with the data."""
    data = data_nodes(recipe)
    if recipe.student is None:
        return data
    student, named = recipe.student, ingredients(recipe)
    nodes = (*data, *train_nodes(recipe, student), *evaluate_nodes(recipe, student), *judge_nodes(recipe, student))
    spec = compare.Spec(
        name=recipe.name, use=recipe.use, primary=recipe.evaluate.primary, seed=recipe.seed, trained=recipe.train_names,
        terms=recipe.terms, named=named, forgetting=recipe.evaluate.forgetting,
    )  # fmt: skip
    read = (*((recipe.terms.registry,) if recipe.terms.registry else ()), *(one.ref for one in named))
    return (*nodes, Node("compare", 6, tuple(node.name for node in nodes), spec, compare.run, compare.VERSION, read))


def data_nodes(recipe: Recipe) -> tuple[Node, ...]:
    """From real data to the mix."""
    seed, data = recipe.seed, tuple(real.data for real in recipe.real.values())
    chain = filter_spec(recipe)
    counts = {"tokenizer": chain.student} if chain.student else {}
    said: dict[str, object] = {"prompts": chain.prompts} if chain.prompts else {}
    said |= {"versions": chain.versions} if chain.versions else {}
    filters = tuple({**part.model_dump(mode="json"), **counts, **said} for part in recipe.filter)
    # Whatever the filters read or ask decides what they accept, and so what is asked for.
    judges = {name: recipe.cast[name] for name in recipe.judging}
    read = tuple(dict.fromkeys((*counts.values(), *recipe.filtered_by)))
    version = generate.VERSION * 1000 + filtering.VERSION  # what the filters accept decides what is asked
    asked = {name: recipe.cast[name] for name in recipe.asked}
    models = tuple(ref for one in asked.values() for ref in one.references)
    # What is measured with comes first: training rows are judged against it.
    measured = tuple(measured_nodes(recipe))
    names = tuple(node.name for node in measured)
    told = named.spec(recipe.evaluate.suites, recipe.evaluate.named) if recipe.student else None
    nodes = [
        Node(
            "split", 0, (), split.Spec(real=recipe.real, split=recipe.split, seed=seed),
            split.run, split.VERSION, (*data, *recipe.split.references), data,
        ),
        *measured,
        *([Node("named", 0, ("suites",), told, named.run, named.VERSION)] if told else []),
        Node(
            "generate", 1, ("split", *names),
            GenerateSpec(
                teachers=asked, generate=recipe.generate, filter=filters, seed=seed,
                templates=generate.templates_digest(recipe.generate.methods), judges=judges, oversample=chain.oversample,
            ),
            generate.run, version, (*models, *read), models, "generate",
        ),
        Node(
            "filter", 2, ("split", *names, "generate"), chain, filtering.run, filtering.VERSION, read,
            launch="filter" if filtering.heavy(chain) or "filter" in recipe.runtime.launch else None,
        ),
        Node(
            "mix", 3, ("split", *names, "filter"), mix.Spec(mix=recipe.mix, seed=seed), mix.run, mix.VERSION,
        ),
    ]  # fmt: skip
    return tuple(nodes)


def measured_nodes(recipe: Recipe) -> Iterator[Node]:
    """What is measured with: the teacher's answers to held-out prompts and the items of suites with data of their own, where
    there is a student, and the benchmark."""
    seed, teacher = recipe.seed, recipe.teacher
    if recipe.student is not None and (own := suites.loaded(recipe.evaluate.suites)):
        read = tuple(dict.fromkeys(ref for suite in own for ref in suite.references))
        versions = {package: version for suite in own for package, version in suite.versions.items()}
        yield Node("suites", 0, (), suites.Spec(suites=own, versions=versions), suites.run, suites.VERSION, read)
    if recipe.student is not None and "heldout" in recipe.evaluate.needs:
        spec = heldout.Spec(teacher=teacher, sampling=recipe.generate.sampling, systems=systems(recipe), seed=seed)
        yield Node(
            "heldout", 1, ("split",), spec, heldout.run, heldout.VERSION, teacher.references, teacher.references,
            "generate",
        )  # fmt: skip
    if recipe.benchmark is not None:
        asked = {name: recipe.cast[name] for name in recipe.examined}
        models = tuple(ref for one in asked.values() for ref in one.references)
        section = recipe.benchmark
        items = benchmark.Spec(teachers=asked, benchmark=section, seed=seed, templates=section.digest)
        yield Node(
            "benchmark", 1, ("split",), items, benchmark.run, benchmark.VERSION, models, models, "generate",
        )  # fmt: skip


def train_nodes(recipe: Recipe, student: Student) -> Iterator[Node]:
    """From the mix to the student: its tokens, the layers that it can do without where they are to be found, what the
    teacher says of the rows where that is learnt, then one training after the other, each going on with the one before."""
    yield Node(
        "tokenise", 3, ("mix",), tokenise.Spec(student=student.model), tokenise.run, tokenise.VERSION,
        (student.model,),
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
    model, found, after = student.references, _found(student), None
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
        f"train@{REAL_ONLY}", 4, (rows, tokens, "tokenise", *_found(student)), spec, train.run, train.VERSION,
        student.references, student.references, "train",
        called={rows: "mix", tokens: "tokenise", "tokenise": "like"},
    )  # fmt: skip


def _found(student: Student) -> tuple[str, ...]:
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


def evaluate_nodes(recipe: Recipe, student: Student) -> tuple[Node, ...]:
    """One node per arm: teacher, base, what the student was between trainings, the student of each seed, one of real rows
    alone, checkpoints that are asked for, and other models."""
    asked, teacher = recipe.evaluate, recipe.teacher
    *between, last = recipe.train_names
    seeds, alone = range(1, asked.seeds + 1), [f"train@{REAL_ONLY}"] if asked.real_only else []
    common = {"suites": asked.bare, "generation": asked.generation, "dtype": asked.dtype}

    def node(arm: str, needs: tuple[str, ...], model: str | None, **more: object) -> Node:
        spec = evaluation.Spec.model_validate({"arm": arm, "model": model, **common, **more})
        tokenizer = getattr(spec.engine, "tokenizer", None)
        sources = tuple(ref for ref in (model, spec.adapter, tokenizer) if ref)
        needs = (*asked.needs, *needs)
        return Node(f"evaluate/{arm}", 5, needs, spec, evaluate.run, evaluate.VERSION, sources, (), "evaluate")

    against = ("evaluate/teacher",)
    return (
        node(
            "teacher",
            (),
            teacher.model,
            adapter=teacher.adapter,
            quantization=getattr(teacher.engine, "quantization", None),
            engine=teacher.engine if teacher.engine.kind != "transformers" else None,
        ),
        node(
            "base",
            (*against, *_found(student)),
            student.model,
            drop_layers=student.drop_layers,
            adapter=student.adapter,
            quantization=student.quantization,
        ),
        *(node(name.partition("/")[2], (*against, name), None, trained=name) for name in between),
        *(
            node(seeded("student", one), (*against, seeded(last, one)), None, trained=seeded(last, one))
            for one in seeds
        ),
        *(node(REAL_ONLY, (*against, own), None, trained=own) for own in alone),
        *(node(f"student@{step}", (*against, last), None, trained=last, step=step) for step in asked.checkpoints),
        *(node(name, against, **other.model_dump()) for name, other in asked.arms.items()),
    )


def judge_nodes(recipe: Recipe, student: Student) -> Iterator[Node]:
    """Pairs of arms' answers before a judge, where the recipe names one."""
    asked, suites = recipe.evaluate.judge, recipe.evaluate.judged
    if asked is None:
        return
    teacher, others = recipe.cast[asked.by], against(recipe, student)
    spec = judging.Spec(
        judge=asked, teachers={asked.by: teacher}, suites=suites, against=others, prompt=judging.prompt_digest(asked)
    )
    needs = dict.fromkeys(
        (*(name for suite in suites for name in suite.NEEDS), *(f"evaluate/{arm}" for arm in asked.arms))
    )
    sources = tuple(dict.fromkeys((*teacher.references, *others.values(), *asked.references)))
    yield Node("judge", 5, tuple(needs), spec, judge.run, judge.VERSION, sources, (), "judge")


def against(recipe: Recipe, student: Student) -> dict[str, str]:
    """References to the models whose answers a judge compares, by what they are: one that is related to them is flagged."""
    judge = recipe.evaluate.judge
    arms = {name: other.model for name, other in recipe.evaluate.arms.items() if judge and name in judge.arms}
    return {"teacher": recipe.teacher.model, "student": student.model, **arms}


def filter_spec(recipe: Recipe) -> filtering.Spec:
    counting = recipe.student is not None and any(part.kind == "length" for part in recipe.filter)
    return filtering.Spec(
        filter=recipe.filter,
        rows=recipe.generate.rows,
        shares=recipe.generate.shares,
        min_yield=recipe.generate.min_yield,
        student=recipe.student.model if recipe.student and counting else None,
        teachers={name: recipe.cast[name] for name in recipe.judging},
        oversample=max((part.candidates for part in recipe.filter), default=1.0),
        prompts=filtering.prompts_digest(recipe.filter),
        versions=filtering.versions(recipe.filter),
    )


def systems(recipe: Recipe) -> dict[str, str | None]:
    """The system message that each data set's prompts are asked with; where `answer` asks them, its own."""
    methods = sorted(recipe.generate.methods, key=lambda method: method.kind != "answer")
    named = {name: getattr(method, "system", None) for method in reversed(methods) for name in method.reads}
    return {name: system for name, system in named.items() if recipe.real[name].kinds & {"prompt", "chat"}}


@dataclass(frozen=True)
class Planned:
    """A node with its key, which is known before anything is run."""

    node: Node
    identity: artifacts.Identity = field(repr=False)
    key: str


def keys(nodes: Sequence[Node], resolved: Mapping[str, Resolved]) -> dict[str, Planned]:
    """The key of every node from its spec, its sources and the keys of what it needs."""
    planned: dict[str, Planned] = {}
    for node in nodes:
        upstream = {name: artifacts.handed_on(planned[name].identity) for name in node.needs}
        sources = {ref: resolved[ref] for ref in node.sources}
        described = artifacts.identity(stage(node.name), node.version, node.spec, sources, upstream, node.stamped)
        planned[node.name] = Planned(node, described, artifacts.key_of(described))
    return planned


def acceptance(recipe: Recipe, inputs: Mapping[str, Path], context: Context) -> Accept:
    """The recipe's filters, handed to generation so that it asks on until enough are accepted."""
    return filtering.acceptance(filter_spec(recipe), inputs, context)
