from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from distill.errors import RecipeError
from distill.load import load_recipe
from distill.recipe import Recipe, dump, json_schema
from tests.test_pipeline import ALONE as BASE

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").rglob("*.yaml"))


SERVED = {"model": "T", "engine": {"kind": "server"}}


def put(folder: Path, **changes: object) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**BASE, **changes}))
    return path


def problems(folder: Path, **changes: object) -> str:
    with pytest.raises(RecipeError) as caught:
        load_recipe(put(folder, **changes))
    return str(caught.value)


def test_every_problem_at_once_with_line_path_and_nearest_name(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    lines = [
        "name: bad",
        "sede: 3",
        "teacher: {model: T, engine: {kind: transfomers}}",
        "student: {model: S, lora: {rank: 8}}",
        "real: {chat: {data: D, prompt: q, answer: a}}",
        "generate:",
        "  rows: 0",
        "  methods: [{kind: answr, prompts: chat}]",
        "  sampling: {temprature: 1}",
        "filter:",
        "  - {kind: length, max_tokns: 3}",
        "train: {scheduler: cosin}",
        "evaluate: {suites: [heldout_teache]}",
    ]
    path.write_text("\n".join(lines))
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    text = str(caught.value)
    assert "9 problems" in text
    for line, where, hint in [
        (2, "sede", "did you mean seed?"),
        (3, "teacher.engine", "did you mean transformers?"),
        (4, "student.lora.rank", "did you mean r?"),
        (7, "generate.rows", "greater than 0 (found 0)"),
        (8, "generate.methods.0", "did you mean answer?"),
        (9, "generate.sampling.temprature", "did you mean temperature?"),
        (11, "filter.0.max_tokns", "did you mean max_tokens?"),
        (12, "train.scheduler", "did you mean cosine?"),
        (13, "evaluate.suites.0", "did you mean heldout_teacher?"),
    ]:
        assert any(f"{path}:{line}  {where}: " in found and hint in found for found in text.splitlines()), (where, text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generate": {"rows": 1, "methods": [{"kind": "answer", "prompts": "chta"}]}}, "did you mean chat?"),
        ({"generate": {"rows": 1, "methods": [{"kind": "answer", "prompts": "chat", "share": 0.5}]}}, "share"),
        ({"evaluate": {"primary": "heldout_teacher.los"}}, "did you mean loss?"),
        ({"evaluate": {"suites": ["heldout_real"]}}, "is not among evaluate.suites"),
        ({"evaluate": {"judge": {"by": "jugde"}}}, "did you mean judge?"),
        ({"evaluate": {"judge": {"by": "judge", "suites": ["heldout_reel"]}}}, "did you mean heldout_real?"),
        ({"evaluate": {"judge": {"by": "judge"}, "generation": {"items": 0}}}, "no suite is answered"),
        (
            {"evaluate": {"judge": {"by": "judge", "suites": ["heldout_real"]}, "generation": {"items": 0}}},
            "heldout_real has no answers to be judged",
        ),
        ({"evaluate": {"judge": {"by": "judge", "pairs": [["student", "bsae"]]}}}, "did you mean base?"),
        ({"evaluate": {"judge": {"by": "judge", "pairs": [["base", "base"]]}}}, "is an arm against itself"),
        (
            {"evaluate": {"judge": {"by": "judge", "pairs": [["student", "base"], ["base", "student"]]}}},
            "two of them are of the same arms",
        ),
        ({"evaluate": {"judge": {"by": "judge", "template": "{{ first"}}}, "not a Jinja template"),
        ({"evaluate": {"judge": {"by": "judge", "template": "{{ answers }}"}}}, "it may use `before`, `question`"),
        (
            {"evaluate": {"judge": {"by": "judge", "template": "[user]\n1\n[assistant]\nA"}}},
            "must end with one of the user",
        ),
        ({"evaluate": {"primary": "heldout_real.chrf", "generation": {"items": 0}}}, "chrf needs answers"),
        ({"evaluate": {"forgetting": {"metrics": ["heldout_real.los"], "margin": 0.1}}}, "did you mean loss?"),
        ({"evaluate": {"forgetting": {"metrics": ["arc.accuracy"], "margin": 0.1}}}, "is not among evaluate.suites"),
        ({"evaluate": {"forgetting": {"metrics": ["heldout_real.loss"] * 2, "margin": 0.1}}}, "named twice"),
        (
            {"mix": {"earlier": ["run:a/mix", {"rows_of": "run:a/mix", "rows": 2}]}},
            "mix.earlier: named twice: run:a/mix",
        ),
        (
            {"mix": {"rows": 5, "earlier": [{"rows_of": "run:a/mix", "rows": 9}]}},
            "earlier names 9 rows, more than rows: 5",
        ),
        ({"evaluate": {"forgetting": {"metrics": ["heldout_real.loss"], "margin": 0}}}, "margin"),
        ({"split": {"held_out_prompts": 0}}, "nothing to evaluate on"),
        ({"runtime": {"launch": {"trian": "cpu"}}}, "did you mean train?"),
        ({"real": {"chat": {"data": "D", "prompt": "q"}}}, "no data set under real has answers"),
        ({"evaluate": {"checkpoints": [3]}}, "not a multiple of train.checkpoint_every (2)"),
        ({"evaluate": {"checkpoints": [2]}, "train": {}}, "set train.checkpoint_every"),
        ({"evaluate": {"checkpoints": [8]}, "train": {"max_steps": 4, "checkpoint_every": 4}}, "step 8 never comes"),
        ({"evaluate": {"seeds": 0}}, "greater than or equal to 1"),
        ({"evaluate": {"real_only": True}, "train": [{}, {}]}, "real rows alone can be learnt by one training, `sft`"),
        ({"evaluate": {"real_only": True}, "train": {"objective": "on_policy"}}, "this recipe trains by on_policy"),
        (
            {
                "evaluate": {"real_only": True},
                "real": {"chat": {"data": "D", "prompt": "q"}},
                "mix": {"real_fraction": 0},
            },
            "no data set under real has answers or texts to learn from",
        ),
        ({"evaluate": {"real_only": True, "arms": {"real_only": {"model": "T"}}}}, "is the name of another arm"),
        ({"evaluate": {"arms": {"real_only": {"model": "T"}}}}, "is the name of another arm"),
        ({"evaluate": {"arms": {"student-seed2": {"model": "T"}}}}, "is the name of another arm"),
        (
            {"train": {"patience": 2}, "mix": {"validation_rows": 0}, "evaluate": {}},
            "nothing that train.patience could",
        ),
        ({"train": {"packing": False}, "evaluate": {}}, "did you mean runtime.packing?"),
        ({"train": {"lr": 1}, "evaluate": {}}, "did you mean learning_rate?"),
        ({"student": {"model": "S", "quantization": "int4"}}, "known here: nf4, int8"),
        ({"real": {"chat": {"data": "D", "prompt": "q"}}, "mix": {"real_fraction": 0}}, "heldout_real needs answers"),
        ({"teacher": SERVED, "runtime": {}}, "runtime: {server: {address:"),
        ({"teacher": SERVED}, "the engine `server` gives no token probabilities"),
        ({"teacher": {"model": "T", "engine": {"kind": "echo"}}}, "write heldout_teacher.chrf or heldout_real.chrf"),
        ({"teacher": {**SERVED, "model": "S"}}, "S is read on this machine too"),
        ({"runtime": {"server": {"address": "http://me:pw@a/v1"}}}, "no key, name, password"),
        ({"runtime": {"server": {"address": "http://a/v1", "key_env": "sk-1"}}}, "key_env"),
        ({"runtime": {"server": {"start": {"kind": "vllm", "args": ["--dtype", "half"]}}}}, "engine.args"),
        ({"runtime": {"server": {"start": {"kind": "vllm"}, "address": "http://a/v1"}}}, "have them started"),
        ({"filter": [{"kind": "near_duplicate", "keeper": "best", "by": "jugde"}]}, "'jugde', which nothing before"),
        (
            {"filter": [{"kind": "select", "by": ["judge"]}, {"kind": "judge", "rubric": "R", "min_score": 3}]},
            "is given by a filter after it",
        ),
        ({"student": None, "filter": [{"kind": "length"}]}, "there is no student: write min_tokens: null"),
        ({"filter": [{"kind": "select"}, {"kind": "finished"}]}, "select must be the last filter: finished would drop"),
        ({"filter": [{"kind": "judge"}, {"kind": "judge"}]}, "another filter's score is called 'judge' too"),
        ({"filter": [{"kind": "judge", "by": "judg"}]}, "no model 'judg' under teachers; did you mean judge?"),
        ({"filter": [{"kind": "judge", "scale": [5, 1]}]}, "from the worst mark to the best"),
        ({"filter": [{"kind": "select", "oversample": 6}]}, "are fewer than the 60 accepted rows"),
        ({"name": "../up"}, "name"),
        (
            {"train": {"objective": "preference", "checkpoint_every": 2}},
            "train: preference learns from pairs of answers, and answer, self_instruct makes none; add the method `rank`",
        ),
        (
            {
                "train": [{}, {"objective": "on_policy", "checkpoint_every": 2}],
                "teacher": {"model": "T", "engine": {"kind": "echo"}},
            },
            "train.1: on_policy asks the teacher at every token",
        ),
        ({"train": {"objective": "on_policy", "top_p": 0}}, "train.top_p: input should be greater than 0"),
        (
            {"teacher": SERVED, "train": {"objective": "logits"}, "evaluate": {"primary": "heldout_teacher.chrf"}},
            "train.objective: logits learns from token probabilities, and the engine `server` gives none",
        ),
        (
            {"teacher": {"model": "T", "engine": {"kind": "echo"}}, "train": [{}, {"objective": "logits"}]},
            "train.1.objective: logits learns from token probabilities",
        ),
        (
            {"train": {"objective": "logits", "keep": {"kind": "sampled"}, "divergence": "reverse_kl"}},
            "write keep: {kind: top_k}",
        ),
        ({"train": {"objective": "logits", "keep": {"kind": "top_n"}}}, "did you mean top_k?"),
        ({"student": {"model": "S", "drop_layers": [1, 1]}}, "drop_layers"),
    ],
)
def test_impossible_combinations_are_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    assert message in problems(tmp_path, **changes)


def test_only_preferences_are_for_a_student_that_learns_from_them(tmp_path: Path) -> None:
    methods = [{"kind": "rank", "prompts": "chat", "by": {"logprob": "teacher"}}]
    only = {"rows": 4, "methods": methods}
    preferring = {"objective": "preference", "checkpoint_every": 2}
    for train in ({"checkpoint_every": 2}, [{"objective": "on_policy"}, preferring]):
        found = problems(tmp_path, generate=only, train=train)
        assert "generate.methods: rank: only preferences" in found and "leave out `student`" in found
    assert load_recipe(put(tmp_path, generate=only, train=preferring)).train_names == ("train",)
    data = {name: part for name, part in BASE.items() if name not in ("student", "evaluate", "filter")}
    path = tmp_path / "data.yaml"
    path.write_text(yaml.safe_dump({**data, "generate": {"rows": 4, "methods": methods}}))
    assert load_recipe(path).generate.taught == 0


def test_a_student_is_measured_on_prompts_and_not_on_texts(tmp_path: Path) -> None:
    docs = {"docs": {"data": "D", "text": "t"}}
    assert "measured on held-out prompts" in problems(tmp_path, real=docs)
    assert "starts from rows of kind chat or prompt; 'chat' holds rows of kind text" in problems(
        tmp_path, real={"chat": {"data": "D", "text": "t"}}
    )


def test_a_teacher_whose_servers_are_started_is_one_of_this_machine(tmp_path: Path) -> None:
    chrf = {"primary": "heldout_teacher.chrf"}
    started = {"server": {"start": {"kind": "llama_cpp", "args": ["--threads", 2]}}}
    recipe = load_recipe(put(tmp_path, teacher=SERVED, runtime=started, evaluate=chrf))
    assert recipe.served == () and recipe.references["T"] == "model"
    assert load_recipe(
        put(tmp_path, teacher={**SERVED, "model": "S"}, runtime=started, evaluate=chrf)
    )  # the student too
    by_name = {"server": {"address": "http://a/v1"}, "servers": {"teacher": started["server"]}}
    assert load_recipe(put(tmp_path, teacher=SERVED, runtime=by_name, evaluate=chrf)).served == ()


def test_a_budget_of_money_is_for_teachers_that_cost_some(tmp_path: Path) -> None:
    paid, chrf = {"cost": 1.0}, {"primary": "heldout_teacher.chrf"}
    priced = {"address": "http://a/v1", "price": {"prompt": 1, "completion": 2}}
    started = {"start": {"kind": "llama_cpp", "args": []}}
    generate = {**BASE["generate"], "budget": paid}
    benchmark = {**BASE["benchmark"], "budget": paid}
    none = "budget.cost: no teacher that {} asks costs money"
    # A price of a server that nobody asks pays for nothing, and neither does a served judge that only the benchmark asks.
    judge = {"judge": {**SERVED, "model": "J"}}
    for changes in ({}, {"runtime": {"server": priced}}, {"teachers": judge, "runtime": {"server": priced}}):
        assert "generate." + none.format("generate") in problems(tmp_path, generate=generate, **changes)
    ours = {"teacher": SERVED, "evaluate": chrf, "runtime": {"server": started}}
    assert "generate." + none.format("generate") in problems(tmp_path, generate=generate, **ours)
    assert "benchmark." + none.format("benchmark") in problems(tmp_path, benchmark=benchmark)
    for server in (priced, {"address": "http://a/v1"}, {**started, "price": priced["price"]}):
        theirs = {"teacher": SERVED, "evaluate": chrf, "runtime": {"server": server}}
        assert load_recipe(put(tmp_path, generate=generate, benchmark=benchmark, **theirs))


def test_overrides_are_checked_like_the_file(tmp_path: Path) -> None:
    assert load_recipe(put(tmp_path), ["train.learning_rate=1e-3"]).train.learning_rate == 0.001
    with pytest.raises(RecipeError, match=r"--set train.epochs=fast  train.epochs: .*valid number"):
        load_recipe(put(tmp_path), ["train.epochs=fast"])


def test_the_resolved_recipe_reads_back_as_itself(tmp_path: Path) -> None:
    recipe = Recipe.model_validate(BASE)
    path = tmp_path / "resolved.yaml"
    path.write_text(dump(recipe))
    assert load_recipe(path) == recipe


def test_schema_describes_every_key_and_is_json() -> None:
    schema = json_schema()
    assert set(schema["properties"]) == {*Recipe.model_fields, "extends"}
    assert schema["additionalProperties"] is False
    json.dumps(schema)


def test_reading_a_recipe_needs_no_heavy_library() -> None:
    code = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'trl', 'datasets', 'peft', 'accelerate', 'numpy'):\n"
        "    sys.modules[name] = None\n"
        "from pathlib import Path\n"
        "from distill.load import load_recipe\n"
        "load_recipe(Path('recipes/quickstart.yaml'))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_recipe_that_ships_is_right(path: Path) -> None:
    from distill.pipeline import plan

    assert plan(load_recipe(path))


def test_the_tokenizer_of_a_served_teacher_must_be_on_this_machine(tmp_path: Path) -> None:
    served = {"model": "org/served@1", "engine": {"kind": "server", "tokenizer": "org/tokenizer"}}
    chrf = {"primary": "heldout_teacher.chrf"}
    runtime = {"server": {"address": "http://a/v1"}}
    recipe = load_recipe(put(tmp_path, teacher=served, runtime=runtime, evaluate=chrf))
    assert recipe.served == ("org/served@1",)
    assert recipe.references["org/tokenizer"] == "model" and "org/served@1" not in recipe.references


def test_a_value_given_with_set_is_read_as_in_a_recipe(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("name: x\nteacher: {model: T}\ngenerate: {rows: 1, methods: [{kind: magpie}]}\n")
    recipe = load_recipe(path, ["filter=[{kind: near_duplicate, on: answer}]"])
    assert recipe.filter[0].model_dump()["on"] == "answer"
    with pytest.raises(RecipeError, match="not YAML: the tag"):
        load_recipe(path, ["filter=!!python/object:os.system {}"])


def test_without_a_student_nothing_is_held_out_unless_it_is_said() -> None:
    asked = {"name": "x", "teacher": {"model": "T"}, "generate": {"rows": 1, "methods": [{"kind": "magpie"}]}}
    recipe = Recipe.model_validate(asked)
    assert (recipe.split.held_out_prompts, recipe.mix.real_fraction) == (0, 0)
    said = Recipe.model_validate({**asked, "split": {"held_out_prompts": 7}, "mix": {"real_fraction": 0.5}})
    assert (said.split.held_out_prompts, said.mix.real_fraction) == (7, 0.5)
    assert Recipe.model_validate({**asked, "student": {"model": "S"}}).split.held_out_prompts == 128


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("mix.earlier=[run:other/mix, run:quickstart/mix]", "mix.earlier.1.rows_of"),
        ("real.chat={data: run:quickstart/filter}", "real.chat.data"),
    ],
)
def test_rows_of_the_very_same_run_are_refused(line: str, place: str) -> None:
    quickstart = Path(__file__).parents[1] / "recipes" / "quickstart.yaml"
    with pytest.raises(RecipeError, match=rf"{place}: run:quickstart/\w+ is of this run itself"):
        load_recipe(quickstart, [line])
    assert load_recipe(quickstart, [line, "name=next"]).name == "next"


def test_a_guard_that_is_switched_off_is_told_how() -> None:
    quickstart = Path(__file__).parents[1] / "recipes" / "quickstart.yaml"
    with pytest.raises(RecipeError, match=r"guard: false is no guard: `guard: \{stop: false\}` goes on all the same"):
        load_recipe(quickstart, ["guard=false"])
