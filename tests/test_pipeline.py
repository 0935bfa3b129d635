"""Which field reruns which stage: every leaf of a recipe is changed once."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from distill import templates
from distill.context import Resolved
from distill.judge.settings import Judge, Labels
from distill.nodes.node import keys
from distill.pipeline import plan
from distill.recipe import Recipe
from distill.recipe_file import dotted, walk
from distill.sources import references
from distill.train.learning import Learning
from distill.train.logits import Logits

BASE: dict[str, Any] = {
    "name": "x",
    "seed": 1,
    "teacher": {"model": "T", "engine": {"kind": "transformers", "dtype": "float32"}, "terms": ["mit"]},
    "teachers": {"judge": {"model": "J", "engine": {"kind": "transformers", "dtype": "float32"}, "terms": ["mit"]}},
    "student": {
        "model": "S",
        "drop_layers": [1],
        "lora": {"r": 4, "alpha": 8, "target_modules": ["q_proj"]},
        "terms": ["mit"],
    },
    "real": {
        "chat": {"data": "D", "prompt": "q", "answer": "a", "terms": ["mit"]},
        "docs": {"data": "E", "text": "t", "title": "n", "passage_words": 50, "min_words": 9, "terms": ["mit"]},
    },
    "split": {"held_out_prompts": 8},
    "generate": {
        "rows": 10,
        "methods": [
            {"kind": "answer", "prompts": "chat", "share": 0.5},
            {"kind": "self_instruct", "seeds": "chat", "share": 0.5},
        ],
        "sampling": {"temperature": 0.5, "max_new_tokens": 8},
        "budget": {"candidates": 50},
    },
    "benchmark": {
        "rows": 4,
        "methods": [{"kind": "document_qa", "documents": "docs"}],
        "sampling": {"temperature": 0.5, "max_new_tokens": 8},
        "budget": {"candidates": 50},
        "confirm": "judge",
        "template": "{{ passage }} {{ question }} In short?",
    },
    "filter": [{"kind": "finished"}, {"kind": "length", "max_tokens": 64}, {"kind": "contamination"}],
    "train": {"epochs": 1, "max_steps": 4, "checkpoint_every": 2},
    "evaluate": {
        "checkpoints": [2],
        "real_only": True,
        "seeds": 2,
        "forgetting": {"metrics": ["heldout_real.loss"], "margin": 0.1},
    },
    "terms": {"name": "tutor", "accept": {"unknown": "we wrote it"}},
    "runtime": {"launch": {"train": "cpu"}, "server": {"address": "http://a/v1", "key_env": "KEY"}},
}
TEACHER = {"heldout", "benchmark", "generate", "evaluate/teacher"}
BASE_ARM = {"evaluate/base"}
TRAIN = {"train", "train#2", "train@real_only"}
TRAINED_ARMS = {"evaluate/student", "evaluate/student#2", "evaluate/real_only", "evaluate/student@2"}
ARMS = {"evaluate/teacher", "evaluate/base", *TRAINED_ARMS}
ALONE = {**BASE, "evaluate": {"checkpoints": [2]}}
"""One student."""
DEPENDENTS: dict[str, set[str]] = {
    "name": {"compare"},
    "seed": {"split", "heldout", "benchmark", "generate", "mix", *TRAIN, "mix@real_only", "panel", "compare"},
    "use": {"compare"},
    "terms": {"compare"},
    "teacher.model": TEACHER,
    "teacher.adapter": TEACHER,
    "teacher.terms": {"heldout", "benchmark", "generate"},
    "teacher.engine": {"heldout", "benchmark", "generate"},
    "teachers.judge": {"benchmark"},
    "benchmark": {"benchmark"},
    "student.model": {"generate", "filter", *TRAIN, *BASE_ARM},
    "student.terms": TRAIN,
    "student.drop_layers": {*TRAIN, *BASE_ARM},
    "student.quantization": {*TRAIN, *BASE_ARM},
    "student.lora": TRAIN,
    "real": {"split"},
    "split": {"split"},
    "generate.rows": {"generate", "filter"},
    "generate.methods": {"generate"},
    "generate.methods.0.system": {"generate", "heldout"},
    "generate.methods.0.teacher": {"generate", "filter"},
    "generate.methods.1.teacher": {"generate", "filter"},
    "generate.sampling": {"generate", "heldout"},
    "generate.budget": {"generate"},
    "generate.min_yield": {"generate", "filter"},
    "filter": {"generate", "filter"},
    "mix": {"mix"},
    "guard": {"guard", "compare"},
    "guard.limits.real_loss": {"compare"},
    "guard.attributes": {"compare"},
    "guard.embedder": {"panel", "compare"},
    "train": TRAIN,
    "train.too_long": {"train", "train#2"},
    "evaluate.primary": {"compare"},
    "evaluate.forgetting": {"compare"},
    "evaluate": ARMS,
    "evaluate.against_teacher": {*BASE_ARM, *TRAINED_ARMS},
    "runtime": set(),
}
NODES = {
    "evaluate.real_only": {"mix@real_only", "tokenise@real_only", "train@real_only", "evaluate/real_only"},
    "evaluate.seeds": {"train#3", "evaluate/student#3"},
}
"""Fields that make nodes and change none."""
OTHER = {
    "kind",
    "prompts",
    "seeds",
    "prompt",
    "answer",
    "split",
    "config",
    "data",
    "objective",
    "messages",
    "turns",
    "share",
    "start",
    "judge",
}
"""Leaves that name another thing of the recipe: changed by hand below, or have a single value."""
FOREIGN = [
    *(("real", "chat", field) for field in ("text", "title", "passage_words", "min_words")),
    *(("real", "docs", field) for field in ("system", "score", "evidence")),
    ("student", "adapter"),
]
"""Leaves that another leaf forbids."""


def resolve(recipe: Recipe) -> dict[str, Resolved]:
    terms = {one.model: one.terms for one in (*recipe.cast.values(), recipe.student)}
    terms |= {real.data: real.terms for real in recipe.real.values()}
    return {ref: Resolved(ref, Path(ref), f"sha256:{ref}", terms.get(ref, ())) for ref in recipe.references}


def keyed(value: Mapping[str, Any]) -> dict[str, str]:
    recipe = Recipe.model_validate(value)
    return {name: planned.key for name, planned in keys(plan(recipe), resolve(recipe)).items()}


def changed(value: Any, name: str) -> Any:
    """Another valid value of the same kind."""
    choices = {
        "use": "internal", "dtype": "float16", "scheduler": "linear", "too_long": "drop", "on": "question",
        "primary": "heldout_real.loss", "metrics": "heldout_real.chrf", "target_modules": "k_proj", "gradient_checkpointing": True,
        "quantization": "nf4",
        "checkpoint": "last",
        "device_map": "auto", "teacher": "other", "adapter": "A", "embedder": "E",
        "top_p": 0.5, "best_of": {"answers": 2, "by": "teacher"},
        "price": {"prompt": 1, "completion": 2},
        "items": 7 if name.startswith("evaluate") else "rows",
    }  # fmt: skip
    last = [part for part in name.split(".") if not part.isdigit()][-1]
    if last in choices:
        return choices[last]
    if isinstance(value, bool):
        return not value
    if isinstance(value, float):
        return value / 2 if value else 0.25
    if isinstance(value, int):
        return value + 1
    if value is None:
        return "other" if last in ("system", "each", "score", "registry", "without") else 3
    return f"{value}x"


def put(value: Any, path: tuple[str | int, ...], new: Any) -> None:
    for part in path[:-1]:
        value = value[part]
    value[path[-1]] = new


def leaves() -> list[tuple[str | int, ...]]:
    full = Recipe.model_validate(BASE).model_dump(mode="json")
    return [path for path, _ in walk(full) if path[-1] not in OTHER and "suites" not in path and path not in FOREIGN]


def closure(names: set[str], nodes: Any) -> set[str]:
    stale = set(names)
    for node in nodes:
        if stale & set(node.needs):
            stale.add(node.name)
    return stale


@pytest.mark.parametrize("path", leaves(), ids=dotted)
def test_a_changed_field_reruns_exactly_what_depends_on_it(path: tuple[str | int, ...]) -> None:
    full = Recipe.model_validate(BASE).model_dump(mode="json")
    before = keyed(full)
    value = dict(walk(full))[path]
    put(full, path, changed(value, dotted(path)))
    after = keyed(full)
    nodes = plan(Recipe.model_validate(BASE))
    name = dotted(path)
    rule = max((known for known in DEPENDENTS if name == known or name.startswith(f"{known}.")), key=len)
    if name.startswith("evaluate.checkpoints"):
        assert set(before) ^ set(after) == {"evaluate/student@2", "evaluate/student@3"}
        return
    if name in NODES:
        assert set(before) ^ set(after) == NODES[name]
        assert {node for node in set(before) & set(after) if before[node] != after[node]} == {"compare"}
        return
    stale = {node for node in before if before[node] != after[node]}
    assert stale == closure(DEPENDENTS[rule], nodes), rule


@pytest.mark.parametrize(
    ("path", "value", "owners"),
    [
        (("evaluate", "suites"), ["heldout_teacher"], ARMS),
        (
            ("generate", "methods"),
            [
                {"kind": "answer", "prompts": "chat", "share": 0.25},
                {"kind": "self_instruct", "seeds": "chat", "share": 0.75},
            ],
            {"generate", "filter"},
        ),
        (("real", "chat", "prompt"), "other", {"split"}),
        (("real", "chat", "answer"), "other", {"split"}),
        (("real", "chat", "config"), "other", {"split"}),
        (("real", "docs", "text"), "{{ t }}", {"split"}),
        (("runtime", "server"), {"start": {"kind": "vllm", "gpus": 4, "nodes": "slurm"}}, set()),
        (("runtime", "slurm"), {"all": {"partition": "p"}, "train": {"nodes": 2, "gpus": 8, "time": "8:00:00"}}, set()),
    ],
)
def test_fields_that_name_other_things_rerun_what_reads_them(
    path: tuple[str | int, ...], value: object, owners: set[str]
) -> None:
    full = Recipe.model_validate(BASE).model_dump(mode="json")
    before = keyed(full)
    put(full, path, value)
    after = keyed(full)
    stale = {node for node in before if before[node] != after[node]}
    assert stale == closure(owners, plan(Recipe.model_validate(BASE)))


def test_rows_of_earlier_runs_are_in_the_key_of_the_mix_by_number_and_by_what_they_are() -> None:
    def made(rows: int | None, without: str | None, **revisions: str) -> dict[str, str]:
        split = {**BASE["split"], "without": without}
        earlier = [{"rows_of": "OLD", "rows": rows}]
        recipe = Recipe.model_validate({**BASE, "split": split, "mix": {"earlier": earlier}})
        found = resolve(recipe) | {ref: Resolved(ref, Path(ref), key) for ref, key in revisions.items()}
        return {name: planned.key for name, planned in keys(plan(recipe), found).items()}

    first = made(3, "GONE")
    for other in (made(4, "GONE"), made(None, "GONE"), made(3, "GONE", OLD="sha256:other")):
        stale = {node for node in first if first[node] != other[node]}
        assert stale == closure({"mix"}, plan(Recipe.model_validate(BASE)))
    assert made(3, "GONE", GONE="sha256:other")["mix"] != first["mix"]


def with_student(**student: Any) -> dict[str, Any]:
    return {**BASE, "student": {"model": "S", "terms": ["mit"], **student}}


@pytest.mark.parametrize(
    ("before", "after", "owners"),
    [
        ({}, {"lora": None}, TRAIN),
        ({}, {"adapter": "A"}, {*TRAIN, *BASE_ARM}),
        ({"adapter": "A"}, {"adapter": "B"}, {*TRAIN, *BASE_ARM}),
        ({"drop_layers": {"least_missed": 2}}, {"drop_layers": {"least_missed": 3}}, {"layers"}),
        ({"drop_layers": {"least_missed": 2}}, {"drop_layers": {"least_missed": 2, "rows": 9}}, {"layers"}),
        ({"drop_layers": {"least_missed": 2}}, {"drop_layers": {"least_missed": 2}, "quantization": "nf4"}, {"layers"}),
        ({"drop_layers": {"least_missed": 2}}, {"drop_layers": {"least_missed": 2}, "lora": {"r": 3}}, TRAIN),
    ],
)
def test_what_a_student_can_be_reruns_what_depends_on_it(
    before: dict[str, Any], after: dict[str, Any], owners: set[str]
) -> None:
    old, new = keyed(with_student(**before)), keyed(with_student(**after))
    stale = {node for node in old if old[node] != new[node]}
    assert stale == closure(owners, plan(Recipe.model_validate(with_student(**after))))


def test_layers_that_are_to_be_found_are_a_step_before_training() -> None:
    nodes = plan(Recipe.model_validate(with_student(drop_layers={"least_missed": 2})))
    names = [node.name for node in nodes]
    assert names.index("tokenise") + 1 == names.index("layers") == names.index("train") - 1
    needs = {node.name: node.needs for node in nodes}
    assert "layers" in needs["train"] and "layers" in needs["evaluate/base"]
    assert not {"split", "heldout"} & set(needs["layers"]), "held-out rows have no part in it"


def test_another_adapter_of_the_same_name_is_another_student() -> None:
    recipe = Recipe.model_validate(with_student(adapter="A"))
    before = keys(plan(recipe), resolve(recipe))
    for other in (Resolved("A", Path("A"), "sha256:other"), Resolved("A", Path("A"), "sha256:A", ("mit",))):
        after = keys(plan(recipe), {**resolve(recipe), "A": other})
        assert before["train"].key != after["train"].key
        assert (before["evaluate/base"].key != after["evaluate/base"].key) == (other.revision != "sha256:A")


def test_the_nodes_of_a_recipe_in_order() -> None:
    names = [node.name for node in plan(Recipe.model_validate(BASE))]
    alone = ["mix@real_only", "tokenise@real_only", "train@real_only"]
    arms = ["evaluate/teacher", "evaluate/base", "evaluate/student", "evaluate/student#2", "evaluate/real_only"]
    assert names == [
        "split",
        "heldout",
        "benchmark",
        "generate",
        "filter",
        "mix",
        "panel",
        "guard",
        "tokenise",
        "train",
        "train#2",
        *alone,
        *arms,
        "evaluate/student@2",
        "compare",
    ]


def test_what_is_measured_with_is_made_before_what_is_judged_against_it() -> None:
    needs = {node.name: node.needs for node in plan(Recipe.model_validate(BASE))}
    assert needs["benchmark"] == ("split",)
    for name in ("generate", "filter", "mix"):
        assert {"heldout", "benchmark"} <= set(needs[name])
    data = {name: part for name, part in BASE.items() if name not in ("student", "evaluate")}
    alone = {node.name: node.needs for node in plan(Recipe.model_validate(data))}
    assert (
        list(alone) == ["split", "benchmark", "generate", "filter", "mix", "panel", "guard"]
        and "heldout" not in alone["mix"]
    )
    bare = plan(Recipe.model_validate({**data, "benchmark": None}))
    assert [node.name for node in bare] == ["split", "generate", "filter", "mix", "panel", "guard"]


def test_another_teacher_of_the_same_name_is_another_teacher() -> None:
    """The failure that four well-known tools have: the old teacher's answers after the teacher was changed."""
    recipe = Recipe.model_validate(BASE)
    before = keys(plan(recipe), resolve(recipe))
    other = {**resolve(recipe), "T": Resolved("T", Path("T"), "sha256:other", ("mit",))}
    after = keys(plan(recipe), other)
    stale = {name for name in before if before[name].key != after[name].key}
    assert {"heldout", "generate", "filter", "mix", "train", "evaluate/student", "compare"} <= stale
    assert "split" not in stale


def test_a_served_teacher_is_told_from_others_by_name_and_not_by_place() -> None:
    def served(model: str = "T", engine: str | None = None, address: str = "http://a/v1") -> dict[str, str]:
        teacher = {"model": model, "engine": {"kind": "server", "model": engine}}
        recipe = Recipe.model_validate({**BASE, "teacher": teacher, "runtime": {"server": {"address": address}}})
        assert model not in recipe.references and recipe.served == (model,)
        found = {**resolve(recipe), model: references.served(model)}
        return {name: planned.key for name, planned in keys(plan(recipe), found).items()}

    before = served()
    assert before == served(address="http://b/v1")
    for other in (served("U"), served("T@1"), served(engine="U")):
        assert {node for node in before if before[node] != other[node]} >= {"heldout", "generate", "evaluate/teacher"}
        assert before["split"] == other["split"]


MODEL_FILTERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "judge": (
        {"by": "judge"},
        {
            "name": "n", "missing": "keep", "by": "teacher", "rubric": "R", "scale": [1, 9], "min_score": 2,
            "samples": 2, "temperature": 0.5, "max_new_tokens": 9, "templates": {"verdict": "V"},
        },
    ),
    "reward": (
        {"model": "R"},
        {
            "name": "n", "missing": "keep", "model": "Q", "probability_of": "c", "reads": "answer",
            "min_score": 1, "max_score": 1,
        },
    ),
    "perplexity": (
        {"model": "R"},
        {
            "name": "n", "missing": "keep", "model": "Q", "given": "nothing", "min": 2, "max": 2,
            "drop_lowest": 0.1, "drop_highest": 0.1,
        },
    ),
    "difficulty": ({"model": "R"}, {"name": "n", "missing": "keep", "model": "Q", "min": 0.1, "max": 2}),
    "select": (
        {},
        {"by": ["judge"], "combine": "sum", "embedder": "Q", "max_similarity": 0.5, "oversample": 3},
    ),
    "surprising": (
        {"model": "R"},
        {"name": "n", "missing": "keep", "model": "Q", "given": "nothing", "power": 2, "seed": 1, "oversample": 3},
    ),
}  # fmt: skip
"""Filters that ask a model, each with another value of every option."""


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind, (_, fields) in MODEL_FILTERS.items() for field in fields]
)
def test_every_option_of_a_filter_by_a_model_is_in_the_keys(kind: str, field: str) -> None:
    base, fields = MODEL_FILTERS[kind]
    more = {"temperature": 0.5} if field == "samples" else {}
    one = {"kind": kind, **base, **more}
    before, after = (keyed({**BASE, "filter": [part]}) for part in (one, {**one, field: fields[field]}))
    stale = {node for node in before if before[node] != after[node]}
    assert stale == closure({"generate", "filter"}, plan(Recipe.model_validate(BASE)))
    (spec,) = Recipe.model_validate({**BASE, "filter": [one]}).filter
    assert {*fields, "kind"} == set(type(spec).model_fields), "each option has another value here"


def test_another_model_under_the_same_name_and_another_prompt_file_judge_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe.model_validate(
        {**BASE, "filter": [{"kind": "judge", "by": "judge"}, {"kind": "reward", "model": "R"}]}
    )
    assert recipe.judging == ("judge",) and recipe.references["R"] == "model"
    before = keys(plan(recipe), resolve(recipe))

    def stale(after: Mapping[str, Any]) -> set[str]:
        return {name for name in before if before[name].key != after[name].key}

    for ref in ("J", "R"):
        other = {**resolve(recipe), ref: Resolved(ref, Path(ref), "sha256:other", ("mit",))}
        assert {"generate", "filter"} <= stale(keys(plan(recipe), other)), ref
    monkeypatch.setattr(templates, "shipped", lambda *_: "Another prompt.")
    assert {"generate", "filter"} <= stale(keys(plan(recipe), resolve(recipe)))


PACKAGES = {
    "language": ("py3langid", {"same_as_prompt": True}),
    "encoding": ("ftfy", {}),
    "math": ("math-verify", {}),
    "json_schema": ("jsonschema", {}),
    "privacy": ("presidio-analyzer", {"names": True}),
}


@pytest.mark.parametrize("kind", PACKAGES)
def test_another_version_of_a_package_that_decides_verdicts_judges_anew(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, options = PACKAGES[kind]
    found = {package: "1.0"}
    monkeypatch.setattr(metadata, "version", lambda name: found.get(name, "1.0"))
    recipe = {**BASE, "filter": [{"kind": kind, **options}]}
    before, other = keyed(recipe), keyed(BASE)
    assert keyed(recipe) == before
    found["torch"] = "2.0"
    assert keyed(recipe) == before, "it decides nothing"
    found[package] = "2.0"
    after = keyed(recipe)
    stale = {node for node in before if before[node] != after[node]}
    assert stale == closure({"generate", "filter"}, plan(Recipe.model_validate(BASE)))
    assert keyed(BASE) == other, "no filter there asks it"


def test_a_package_that_is_not_there_is_no_trouble_for_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert keyed({**BASE, "filter": [{"kind": "privacy", "names": True}]})
    assert not Recipe.model_validate({**BASE, "filter": [{"kind": "privacy"}]}).filter[0].versions


def test_a_choice_has_more_made_than_are_kept() -> None:
    nodes = {
        node.name: node
        for node in plan(Recipe.model_validate({**BASE, "filter": [{"kind": "select", "oversample": 2.5}]}))
    }
    made, chosen = nodes["generate"].spec, nodes["filter"].spec
    assert made.wanted.rows == 25 and chosen.rows == 10  # type: ignore[attr-defined]
    assert nodes["filter"].launch == "filter", "a model is loaded in a process of its own"


RANKED = {
    **BASE["generate"],
    "methods": [
        {"kind": "answer", "prompts": "chat", "share": 0.5},
        {"kind": "rank", "prompts": "chat", "by": {"logprob": "teacher"}, "share": 0.5},
    ],
}
OBJECTIVES: dict[str, dict[str, Any]] = {
    "on_policy": {"beta": 0.5, "temperature": 0.5, "top_p": 0.5, "max_new_tokens": 9},
    "preference": {"beta": 0.5},
}
"""Objectives beside `sft`, each with another value of every option of its own."""


@pytest.mark.parametrize(
    ("objective", "field"), [(name, field) for name, fields in OBJECTIVES.items() for field in fields]
)
def test_every_option_of_an_objective_is_in_the_key_of_its_training(objective: str, field: str) -> None:
    sft, one = {"objective": "sft"}, {"objective": objective, "checkpoint_every": 2}
    full = {**ALONE, "generate": RANKED, "train": [sft, one]}
    before = keyed(full)
    after = keyed({**full, "train": [sft, {**one, field: OBJECTIVES[objective][field]}]})
    stale = {node for node in before if before[node] != after[node]}
    assert stale == closure({f"train/{objective}"}, plan(Recipe.model_validate(full)))
    assert "evaluate/sft" in before and "evaluate/sft" not in stale
    training = Recipe.model_validate(full).trainings[1]
    assert {*OBJECTIVES[objective], *Learning.model_fields} == set(type(training).model_fields)


def test_each_seed_trains_a_student_through_all_trainings() -> None:
    recipe = Recipe.model_validate(
        {**ALONE, "generate": RANKED, "train": [{}, {"objective": "preference"}], "evaluate": {"seeds": 3}}
    )
    nodes = {node.name: node for node in plan(recipe)}
    assert "train/sft#3" in nodes["train/preference#3"].needs and "train/sft" not in nodes["train/preference#3"].needs
    assert nodes["evaluate/student#3"].spec.trained == "train/preference#3"
    seeds = [nodes[name].spec.seed for name in ("train/sft", "train/sft#2", "train/sft#3", "train/preference#3")]
    assert seeds[0] == recipe.seed and len(set(seeds)) == 3 and seeds[2] == seeds[3]
    folders = [node.folder for node in nodes.values()]
    assert (
        len(set(folders)) == len(folders) and "4-train-sft-seed2" in folders and not any("#" in one for one in folders)
    )


def test_what_is_trained_after_another_leaves_that_as_it_was() -> None:
    sft = BASE["train"]
    alone = keyed({**BASE, "generate": RANKED})
    nodes = plan(
        Recipe.model_validate({**BASE, "generate": RANKED, "train": [sft, {"objective": "preference"}], "evaluate": {}})
    )
    both = keyed({**BASE, "generate": RANKED, "train": [sft, {"objective": "preference"}], "evaluate": {}})
    assert both["train/sft"] == alone["train"]
    needs = {node.name: set(node.needs) for node in nodes}
    assert "train/sft" in needs["train/preference"]
    assert "train/sft" in needs["evaluate/sft"] and "train/preference" in needs["evaluate/student"]


def test_another_teacher_is_another_training_where_it_is_asked_while_the_student_learns() -> None:
    """Even where it wrote no row that is trained on: its rows come from elsewhere."""
    for objective, asked in (("sft", False), ("on_policy", True)):
        (node,) = (
            one
            for one in plan(Recipe.model_validate({**BASE, "train": {"objective": objective, "checkpoint_every": 2}}))
            if one.name == "train"
        )
        assert ("T" in node.sources, "T" in node.stamped) == (asked, asked)


LOGITS: dict[str, Any] = {
    "objective": "logits", "keep": {"kind": "top_k", "k": 8}, "divergence": "jensen_shannon", "beta": 0.3, "weight": 0.4,
    "temperature": 2.0, "max_steps": 4, "checkpoint_every": 2,
}  # fmt: skip
OF_LOGITS: dict[str, tuple[Any, set[str]]] = {
    "keep.k": (9, {"score"}),
    "keep.dtype": ("float32", {"score"}),
    "temperature": (1.0, {"score"}),
    "divergence": ("forward_kl", {"train"}),
    "beta": (0.5, {"train"}),
    "weight": (0.5, {"train"}),
}
"""Every field of the objective with another value, and the nodes that it changes."""


@pytest.mark.parametrize("name", OF_LOGITS)
def test_every_option_of_logits_is_in_the_keys_of_what_it_changes(name: str) -> None:
    value, owners = OF_LOGITS[name]
    base = {**ALONE, "train": {**LOGITS, "keep": dict(LOGITS["keep"])}}
    before, nodes = keyed(base), plan(Recipe.model_validate(base))
    put(base, ("train", *name.split(".")), value)
    if name == "divergence":
        base["train"]["beta"] = None
    after = keyed(base)
    assert {node for node in before if before[node] != after[node]} == closure(owners, nodes)
    own = set(Logits.model_fields) - set(Learning.model_fields)
    assert {name.partition(".")[0] for name in OF_LOGITS} == own, "each option has another value here"


def test_a_teacher_scores_the_rows_only_where_a_training_learns_from_that() -> None:
    recipe = Recipe.model_validate({**BASE, "train": LOGITS})
    nodes = {node.name: node for node in plan(recipe)}
    assert nodes["score"].needs == ("tokenise",) and nodes["score"].launch == "score"
    assert nodes["train"].needs == ("mix", "tokenise", "score")
    before = keys(plan(recipe), resolve(recipe))
    other = {**resolve(recipe), "T": Resolved("T", Path("T"), "sha256:other", ("mit",))}
    after = keys(plan(recipe), other)
    assert before["score"].key != after["score"].key, "a changed teacher is another cache"
    terms = {**resolve(recipe), "T": Resolved("T", Path("T"), "sha256:T", ("apache-2.0",))}
    assert before["score"].key != keys(plan(recipe), terms)["score"].key, "it writes the terms down"


def test_trainings_that_ask_the_teacher_the_same_share_what_it_says() -> None:
    first, same = {**LOGITS, "weight": 0.5}, {**LOGITS, "weight": 1.0}
    nodes = {node.name: node for node in plan(Recipe.model_validate({**BASE, "train": [first, {}, same]}))}
    assert nodes["train/logits"].needs == ("mix", "tokenise", "score")
    assert nodes["train/sft"].needs == ("mix", "tokenise", "train/logits")
    assert nodes["train/logits-2"].needs == ("mix", "tokenise", "score", "train/sft")
    nodes = {
        node.name: node
        for node in plan(
            Recipe.model_validate({**BASE, "train": [first, {**same, "temperature": 1.0, "checkpoint_every": 2}]})
        )
    }
    assert "score/logits" in nodes["train/logits"].needs and "score/logits-2" in nodes["train/logits-2"].needs
    assert {node.order for name, node in nodes.items() if name.startswith("score")} == {3}


def test_a_quantised_teacher_is_measured_in_its_own_bits() -> None:
    teacher = {"model": "T", "engine": {"kind": "transformers", "quantization": "nf4"}}
    nodes = {node.name: node for node in plan(Recipe.model_validate({**BASE, "teacher": teacher}))}
    assert nodes["evaluate/teacher"].spec.quantization == "nf4"  # type: ignore[attr-defined]


SUITES: list[dict[str, Any]] = [
    {"kind": "text", "name": "t", "source": {"data": "X", "prompt": "q", "answer": "a"}},
    {"kind": "numbers", "source": {"data": "X", "prompt": "q", "answer": "a"}},
    {"kind": "choices", "source": {"data": "X", "prompt": "q"}, "options": "o", "right": "r"},
    {"kind": "instructions", "source": {"data": "X", "prompt": "q"}},
    {"kind": "programs", "source": {"data": "X", "prompt": "q", "evidence": {"tests": "t"}}},
    {"kind": "human_eval"},
    {"kind": "benchmark"},
    {"kind": "lm_eval", "tasks": ["gsm8k"], "include": "I"},
]
SHOWN = {"shots": 2, "examples": {"data": "Y", "prompt": "q", "answer": "a"}}
ITEMS: list[tuple[int, dict[str, Any]]] = [
    *(
        (place, more)
        for place in range(6)
        for more in ({"items": 9}, {"shots": 2}, SHOWN, {"instruction": "Say."}, {"group": "g"})
    ),
    (0, {"source": {"data": "Y", "prompt": "q", "answer": "a"}}),
    (0, {"source": {"data": "X", "prompt": "q", "answer": "b"}}),
    (2, {"options": ["a", "b"]}),
    (2, {"right": "s"}),
    (2, {"right_is": "text"}),
    (2, {"first": 1}),
    (2, {"answer": "letter"}),
    (3, {"ids": "i"}),
    (3, {"arguments": "k"}),
    (7, {"tasks": ["gsm8k", "ifeval"]}),
    (7, {"include": "J"}),
    (7, {"limit": 9}),
    (7, {"shots": 2}),
]
"""Fields that decide items."""
LATER: list[tuple[int, dict[str, Any]]] = [
    *(
        (place, more)
        for place in (0, 1, 3, 4, 5, 6)
        for more in ({"max_new_tokens": 9}, {"temperature": 0.5}, {"temperature": 0.5, "samples": 3}, {"until": ["x"]})
    ),
    *(
        (place, more)
        for place in (4, 5)
        for more in ({"temperature": 0.5, "samples": 3, "k": [1, 2]}, {"limits": {"seconds": 2}})
    ),
]
"""Fields that decide answers, or what they are worth."""


def asked(place: int, more: Mapping[str, Any]) -> dict[str, Any]:
    suites = ["heldout_teacher", *SUITES]
    suites[place + 1] = {**SUITES[place], **more}
    return {**BASE, "evaluate": {**BASE["evaluate"], "forgetting": None, "suites": suites}}


@pytest.mark.parametrize(("place", "more"), [*ITEMS, *LATER])
def test_a_field_of_a_suite_reruns_the_items_or_the_answers_alone(place: int, more: dict[str, Any]) -> None:
    before, after = keyed(asked(0, {})), keyed(asked(place, more))
    stale = {node for node in before if before[node] != after[node]}
    nodes = plan(Recipe.model_validate(asked(0, {})))
    arms = ARMS & {node.name for node in nodes}
    if (place, more) in LATER:
        assert stale == closure(arms, nodes), "another way to answer trains nothing again"
    else:
        assert stale == closure({"suites", *arms}, nodes)
        assert "generate" in stale, "what is generated is judged against the items"


def changed_by(suites: list[Any]) -> set[str]:
    """Nodes whose key is another one than with the suites as they are."""
    told = asked(0, {})
    before, after = keyed(told), keyed({**told, "evaluate": {**told["evaluate"], "suites": suites}})
    return {node for node in before if before[node] != after[node]}


def test_what_changes_no_item_trains_nothing_again() -> None:
    suites: list[Any] = asked(0, {})["evaluate"]["suites"]
    head, first, *rest = suites
    arms = closure(
        {name for name in keyed(asked(0, {})) if name.startswith("evaluate/")},
        plan(Recipe.model_validate(asked(0, {}))),
    )
    assert changed_by([head, {**first, "name": "other"}, *rest]) == {"suites", *arms}, "lines have the name"
    assert changed_by([head, {**first, "source": {**first["source"], "terms": ["mit"]}}, *rest]) == {"suites"}
    *kept, last = suites
    before, after = [*kept, {**last, "tasks": ["a", "b"]}], [*kept, {**last, "tasks": ["b", "a"]}]
    assert changed_by(before) ^ changed_by(after) == set()
    told = asked(0, {})
    one, other = (keyed({**told, "evaluate": {**told["evaluate"], "suites": each}}) for each in (before, after))
    assert {node for node in one if one[node] != other[node]} == {"suites", *arms}


def test_a_metric_that_only_data_tell_of_is_looked_for_before_training_and_reruns_the_report_alone() -> None:
    def named(metric: str) -> dict[str, Any]:
        told = asked(0, {})
        return {**told, "evaluate": {**told["evaluate"], "primary": f"gsm8k.{metric}"}}

    assert "named" not in keyed(asked(0, {}))
    names = [node.name for node in plan(Recipe.model_validate(named("exact_match/last")))]
    assert names.index("suites") < names.index("named") < names.index("generate")
    before, after = keyed(named("exact_match/last")), keyed(named("exact_match/strict"))
    assert {node for node in before if before[node] != after[node]} == {"named", "compare"}


def test_every_field_of_a_suite_is_looked_at() -> None:
    from pydantic import TypeAdapter

    from distill.suites.kinds import AnySuite

    for place, told in enumerate(SUITES):
        fields = set(type(TypeAdapter(AnySuite).validate_python(told)).model_fields)
        changed = {name for which, more in (*ITEMS, *LATER) if which == place for name in more}
        assert fields - changed <= {"kind", "name", "source"}, told["kind"]


LABELS: dict[str, Any] = {"data": "L"}
OF_JUDGE: dict[str, Any] = {
    "by": "teacher",
    "suites": [],
    "items": 7,
    "pairs": [["student", "base"], ["base", "teacher"]],
    "template": "{{ question }} {{ first }} {{ second }}?",
    "max_new_tokens": 9,
    "labels": None,
    "labels.data": "M",
    "labels.question": "q",
    "labels.a": "x",
    "labels.b": "y",
    "labels.preferred": "p",
}
"""Every field of the judge with another value."""


def with_judge(**changed: Any) -> dict[str, Any]:
    judge = {"by": "judge", "suites": ["heldout_real"], "pairs": [["student", "base"]], "labels": LABELS, **changed}
    return {**BASE, "evaluate": {"suites": ["heldout_real", "heldout_teacher"], "judge": judge}}


@pytest.mark.parametrize("name", OF_JUDGE)
def test_every_option_of_the_judge_reruns_the_judge_alone(name: str) -> None:
    value = with_judge(labels=dict(LABELS))
    before, nodes = keyed(value), plan(Recipe.model_validate(value))
    put(value, ("evaluate", "judge", *name.split(".")), OF_JUDGE[name])
    after = keyed(value)
    assert {node for node in before if before[node] != after[node]} == {"judge", "compare"}
    assert closure({"judge"}, nodes) == {"judge", "compare"}
    tops = {name.partition(".")[0] for name in OF_JUDGE}
    inner = {name.partition(".")[2] for name in OF_JUDGE if "." in name}
    assert (tops, inner) == (set(Judge.model_fields), set(Labels.model_fields)), "each option has another value here"


def test_the_judge_comes_after_the_arms_that_it_compares() -> None:
    (node,) = (one for one in plan(Recipe.model_validate(with_judge())) if one.name == "judge")
    assert node.needs == ("split", "evaluate/student", "evaluate/base") and node.folder == "5-judge"
    assert set(node.sources) == {"J", "T", "S", "L"} and node.launch == "judge"
    assert all(one.name != "judge" for one in plan(Recipe.model_validate(BASE)))


def test_a_judge_may_compare_every_arm_that_there_is() -> None:
    evaluate = {"seeds": 3, "real_only": True, "checkpoints": [2], "arms": {"rival": {"model": "R"}}}
    one = Recipe.model_validate({**BASE, "evaluate": evaluate})
    several = {
        "train": [BASE["train"], {"objective": "on_policy", "checkpoint_every": 2}],
        "evaluate": {"checkpoints": [2]},
    }
    for recipe in (one, Recipe.model_validate({**BASE, **several})):
        nodes = [node.name for node in plan(recipe) if node.name.startswith("evaluate/")]
        assert [f"evaluate/{arm}" for arm in recipe.arms] == nodes
    judge = {"by": "judge", "pairs": [["student#2", "real_only"], ["rival", "student@2"]]}
    (node,) = (
        node
        for node in plan(Recipe.model_validate({**BASE, "evaluate": {**evaluate, "judge": judge}}))
        if node.name == "judge"
    )
    assert {"evaluate/student#2", "evaluate/real_only", "evaluate/rival", "evaluate/student@2"} < set(node.needs)
    assert "R" in node.sources, "a judge of its family is flagged"


def test_another_judge_other_labels_or_another_prompt_is_another_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe.model_validate(with_judge())
    before = keys(plan(recipe), resolve(recipe))
    for ref in ("J", "L"):
        other = {**resolve(recipe), ref: Resolved(ref, Path(ref), "sha256:other", ("mit",))}
        after = keys(plan(recipe), other)
        assert before["judge"].key != after["judge"].key, ref
    monkeypatch.setattr(templates, "shipped", lambda *_: "{{ first }} or {{ second }}?")
    assert before["judge"].key != keys(plan(recipe), resolve(recipe))["judge"].key
