"""The engine `server` as a stage meets it: what is asked, what comes back, what fails with which reason."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from distill.cli import main
from distill.context import NOWHERE, Context, Ranks, Resolved
from distill.engines import client
from distill.engines.open import open_engine, open_scorer
from distill.engines.pace import FIRST
from distill.engines.server import Server
from distill.engines.store import AnswerStore
from distill.errors import EngineError
from distill.protocols import Completion, Request, Sampling
from distill.rows import Message, read_rows
from distill.sources.references import served
from tests.engines.fake import DROP, Answer, Fake, ask, engine, place, refusal, said

KEY = "sk-very-secret-key"


@pytest.fixture(autouse=True)
def _the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", KEY)


def only(fake: Fake, answer: Answer | None = None, **more: Any) -> Completion:
    if answer:
        fake.say = lambda _question, _attempt: answer  # type: ignore[method-assign]
    (completion,) = engine(fake.address, **more).generate([ask("Q")])
    return completion


def test_every_distinct_request_is_asked_once_and_at_most_so_many_at_a_time(fake: Fake) -> None:
    fake.say = lambda _question, _attempt: time.sleep(0.03)  # type: ignore[method-assign,func-returns-value]
    requests = [ask(f"Q{number % 20}") for number in range(30)]
    done = list(engine(fake.address, concurrency=4).generate(requests, {requests[3].key}))
    assert sorted(c.text for c in done) == sorted(f"yes: Q{n}" for n in range(20) if n != 3)
    assert {c.request for c in done} == {r.key for r in requests} - {requests[3].key}
    assert set(fake.asked.values()) == {1}
    assert 2 <= fake.most <= 4


def test_what_is_asked(fake: Fake) -> None:
    messages = (Message(role="system", content="S"), Message(role="assistant", content="A", reasoning="R"))
    first = Request((*messages, Message(role="user", content="Q")), Sampling(temperature=0.5, top_p=0.9, top_k=5), 1)
    second = Request(first.messages, Sampling(temperature=0.5, max_new_tokens=9), 1, sample=1)
    list(engine(fake.address, spec=Server(model="theirs"), concurrency=1).generate([first, second]))
    one, two = fake.bodies
    assert one["messages"][:2] == [{"role": "system", "content": "S"}, {"role": "assistant", "content": "A"}]
    assert (one["temperature"], one["top_p"], one["top_k"], two["max_tokens"]) == (0.5, 0.9, 5, 9)
    # A server's own defaults, of which a recipe knows nothing, do not draw.
    assert (two["top_p"], two["top_k"], two["min_p"]) == (1.0, 0, 0.0)
    assert one["model"] == "theirs"
    assert one["seed"] != two["seed"] and 0 <= one["seed"] < 2**31
    assert fake.keys == {None}


def test_the_reference_is_the_name_unless_another_is_given(fake: Fake) -> None:
    list(engine(fake.address, ref="org/t@1234").generate([ask("Q")]))
    assert fake.bodies[0]["model"] == "org/t"


def test_an_answer_as_it_comes_with_its_day_where_the_weights_are_unstated(fake: Fake) -> None:
    completion = only(fake)
    assert (completion.text, completion.finish) == ("yes: Q", "stop")
    assert (completion.prompt_tokens, completion.new_tokens) == (7, 3)
    assert completion.date is not None and len(completion.date) == 10
    assert only(fake, ref="org/t@1234").date is None


@pytest.mark.parametrize(
    ("answer", "text", "reasoning", "finish"),
    [
        (said("A", reasoning_content=" hm "), "A", "hm", "stop"),
        (said("A", reasoning="hm"), "A", "hm", "stop"),
        (said("<think>hm</think>\n\nA"), "A", "hm", "stop"),
        (said("<think>\n\n</think>\n\nA"), "A", None, "stop"),
        (said("hm</think>A"), "A", "hm", "stop"),
        (said("<think>hm"), "", "hm", "length"),
        (said("A", "length"), "A", None, "length"),
        (said(None, "length", reasoning_content="hm"), "", "hm", "length"),
    ],
)
def test_thinking_is_kept_apart(fake: Fake, answer: Answer, text: str, reasoning: str | None, finish: str) -> None:
    completion = only(fake, answer)
    assert (completion.text, completion.reasoning, completion.finish) == (text, reasoning, finish)


BAD = [
    (refusal(429, Retry_After="0"), "HTTP 429: no"),
    (refusal(429, Retry_After=formatdate(0, usegmt=True)), "HTTP 429"),
    (refusal(500, "worn out"), "HTTP 500: worn out"),
    ((502, {}, b"<html>\n<b>bad gateway</b>"), "HTTP 502: <html> <b>bad gateway</b>"),
    ((200, {}, b"<html>log in</html>"), "not a chat completion: <html>log in</html>"),
    ((200, {}, b'{"choices": []}'), "not a chat completion"),
    ((200, {}, b'{"error": {"message": "upstream"}}'), "not a chat completion: upstream"),
    ((200, {}, b""), "not a chat completion: an empty answer"),
    (DROP, "the connection broke"),
    ((200, {"promised": "999"}, said("half")[2]), "the connection broke"),
]


@pytest.mark.parametrize(("bad", "reason"), BAD, ids=lambda value: value if isinstance(value, str) else None)
def test_what_may_pass_is_tried_again_and_fails_with_its_reason(fake: Fake, bad: Answer, reason: str) -> None:
    fake.say = lambda _question, attempt: bad if attempt == 1 else None  # type: ignore[method-assign]
    (completion,) = engine(fake.address).generate([ask("Q")])
    assert (completion.text, fake.asked["Q"]) == ("yes: Q", 2)
    fake.asked.clear()
    fake.say = lambda _question, _attempt: bad  # type: ignore[method-assign]
    (failed,) = engine(fake.address, attempts=2).generate([ask("Q")])
    assert (failed.finish, failed.text, fake.asked["Q"]) == ("error", "", 2)
    assert reason in str(failed.error) and "after 2 attempts" in str(failed.error)


def test_a_slow_server_is_given_up(fake: Fake) -> None:
    fake.say = lambda _question, _attempt: time.sleep(0.5)  # type: ignore[method-assign,func-returns-value]
    (failed,) = engine(fake.address, timeout=0.1, attempts=1).generate([ask("Q")])
    assert failed.finish == "error" and "no answer in time" in str(failed.error)


def test_a_refused_question_is_not_asked_again(fake: Fake) -> None:
    failed = only(fake, refusal(400, "too long"))
    assert (failed.finish, failed.error) == ("error", "HTTP 400: too long")
    ended = only(fake, said("", "content_filter"))
    assert ended.finish == "error" and "content_filter" in str(ended.error)
    assert fake.asked["Q"] == 2


def test_a_redirect_is_not_followed(fake: Fake) -> None:
    failed = only(fake, (307, {"Location": f"{fake.address}/elsewhere"}, b"moved"))
    assert failed.error == "HTTP 307: moved"
    assert fake.asked["Q"] == 1


@pytest.mark.parametrize(("status", "hint"), [(401, "key_env"), (404, "/v1")])
def test_what_would_refuse_everybody_stops_the_run(fake: Fake, status: int, hint: str) -> None:
    with pytest.raises(EngineError, match=f"HTTP {status} from {fake.address}: no") as caught:
        only(fake, refusal(status))
    assert hint in str(caught.value.hint)


def test_nobody_there_is_an_error_that_names_the_address(fake: Fake) -> None:
    fake.shutdown()
    fake.server_close()
    with pytest.raises(EngineError, match=f"no server answers at {fake.address}") as caught:
        list(engine(fake.address).generate([ask("Q")]))
    assert "start the server" in str(caught.value.hint)


def test_a_wait_that_the_server_asks_for_is_kept(fake: Fake) -> None:
    fake.say = lambda _question, attempt: refusal(429, Retry_After="1") if attempt == 1 else None  # type: ignore[method-assign]
    start = time.monotonic()
    assert only(fake).text == "yes: Q"
    assert 1 <= time.monotonic() - start < 3


def test_the_key_is_sent_and_never_shown(fake: Fake, tmp_path: Path) -> None:
    def say(question: str, _attempt: int) -> Answer:
        leak = f"bad key {KEY}"
        return {"a": refusal(400, leak), "b": refusal(500, leak), "c": (200, {}, leak.encode())}.get(
            question, refusal(401, leak)
        )

    fake.say = say  # type: ignore[method-assign]
    here = place(tmp_path, fake.address, key_env="THE_KEY")
    failed = list(open_engine(Server(), "org/t", here).generate([ask(each) for each in "abc"]))
    assert fake.keys == {f"Bearer {KEY}"}
    assert all("bad key [key]" in str(each.error) for each in failed)
    with pytest.raises(EngineError) as caught:
        list(open_engine(Server(), "org/t", here).generate([ask("d")]))
    assert KEY not in f"{failed} {caught.value} {caught.value!r} {here!r}"
    assert not any(KEY in path.read_text() for path in tmp_path.rglob("*") if path.is_file())


@pytest.mark.parametrize(("value", "what"), [(None, "is not set"), (" ", "is not set"), ("a\nb", "no usable key")])
def test_a_missing_key_is_told_before_anything_is_asked(
    fake: Fake, monkeypatch: pytest.MonkeyPatch, value: str | None, what: str
) -> None:
    monkeypatch.delenv("THE_KEY")
    if value is not None:
        monkeypatch.setenv("THE_KEY", value)
    with pytest.raises(EngineError, match=f"THE_KEY .*{what}") as caught:
        only(fake, key_env="THE_KEY")
    assert "export THE_KEY" in str(caught.value.hint)
    assert "a\nb" not in str(caught.value)
    assert not fake.bodies


def test_closed_early_it_drops_what_does_not_come_in_time_and_leaves_nothing_running(
    fake: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "GRACE", 0.05)
    go_on = threading.Event()
    fake.say = lambda question, _attempt: None if question == "Q0" else go_on.wait(30) and None  # type: ignore[method-assign]
    answers = engine(fake.address).generate([ask(f"Q{number}") for number in range(100)])
    assert next(answers).text == "yes: Q0"
    while fake.now < FIRST:
        time.sleep(0.01)
    answers.close()  # type: ignore[attr-defined]
    assert not go_on.is_set(), "nobody waited for an answer"
    assert not [each for each in threading.enumerate() if each.name == "distill-server"]
    go_on.set()
    while fake.now:
        time.sleep(0.01)
    assert len(fake.bodies) == FIRST + 1
    assert fake.gone == FIRST


def in_flight(fake: Fake, count: int, go_on: threading.Event) -> None:
    """The answer to Q0 comes at once, the others once so many are asked for."""

    def say(question: str, _attempt: int) -> None:
        if question == "Q0":
            while fake.now < count:
                time.sleep(0.005)
        else:
            go_on.wait(30)

    fake.say = say  # type: ignore[method-assign]


def test_closed_early_it_asks_no_more_and_what_is_in_flight_is_late(fake: Fake, tmp_path: Path) -> None:
    go_on = threading.Event()
    in_flight(fake, FIRST, go_on)
    asked = open_engine(Server(), "org/t", place(tmp_path, fake.address))
    answers = asked.generate([ask(f"Q{number}") for number in range(100)])
    first = next(answers)
    threading.Timer(0.1, go_on.set).start()
    answers.close()  # type: ignore[attr-defined]
    questions = {f"yes: {question}" for question in fake.asked}
    assert {first.text, *(one.text for one in asked.late())} == questions and FIRST <= len(questions) <= FIRST + 1
    fake.asked.clear()
    again = list(asked.generate([ask(f"Q{number}") for number in range(100)]))
    assert len(again) == 100 and len(fake.asked) == 100 - len(questions), "nothing is paid for twice"


def test_an_interruption_keeps_what_has_come_and_what_is_in_flight(fake: Fake, tmp_path: Path) -> None:
    go_on = threading.Event()
    in_flight(fake, FIRST, go_on)
    asked = open_engine(Server(), "org/t", place(tmp_path, fake.address))

    def interrupted() -> None:
        for _ in asked.generate([ask(f"Q{number}") for number in range(100)]):
            threading.Timer(0.1, go_on.set).start()
            signal.raise_signal(signal.SIGINT)

    # A shell that starts pytest in the background has it ignore Ctrl-C.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    finally:
        signal.signal(signal.SIGINT, before)
    store = AnswerStore(tmp_path / "answers" / asked.name)
    store.refresh()
    assert len(store.known()) == len(fake.asked) >= FIRST


def test_an_error_waits_for_what_is_in_flight(fake: Fake, tmp_path: Path) -> None:
    def say(question: str, _attempt: int) -> Answer | None:
        if question == "Q3":
            return refusal(401)
        time.sleep(0.3)
        return None

    fake.say = say  # type: ignore[method-assign]
    asked = open_engine(Server(), "org/t", place(tmp_path, fake.address, concurrency=6))
    found = []
    with pytest.raises(EngineError, match="401"):
        found += asked.generate([ask(f"Q{number}") for number in range(6)])
    store = AnswerStore(tmp_path / "answers" / asked.name)
    store.refresh()
    assert len(store.known()) == 5


def test_an_error_in_the_middle_keeps_what_came_before(fake: Fake, tmp_path: Path) -> None:
    requests = [ask(f"Q{number}") for number in range(6)]
    fake.say = lambda question, _attempt: refusal(401) if question == "Q3" else None  # type: ignore[method-assign]
    with pytest.raises(EngineError, match="401"):
        list(open_engine(Server(), "org/t", place(tmp_path, fake.address, concurrency=1)).generate(requests))
    fake.say = lambda _question, _attempt: None  # type: ignore[method-assign]
    fake.asked.clear()
    assert len(list(open_engine(Server(), "org/t", place(tmp_path, fake.address)).generate(requests))) == 6
    assert sorted(fake.asked) == ["Q3", "Q4", "Q5"]


def test_nothing_heavy_is_loaded_to_ask(fake: Fake) -> None:
    heavy = "torch", "transformers", "tokenizers", "numpy"
    code = f"""
import sys
from pathlib import Path
from tests.engines.fake import ask, engine
assert [each.text for each in engine({fake.address!r}).generate([ask("Q")])] == ["yes: Q"]
print([each for each in {heavy} if each in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_ranks_share_the_requests_and_the_concurrency(fake: Fake) -> None:
    fake.say = lambda _question, _attempt: time.sleep(0.02)  # type: ignore[method-assign,func-returns-value]
    requests = [ask(f"Q{number}") for number in range(9)]
    found = []
    for rank in (0, 1):
        fake.most = 0
        found += engine(fake.address, ranks=Ranks(rank, 2), concurrency=4).generate(requests)
        assert fake.most <= 2
    assert sorted(each.request for each in found) == sorted(each.key for each in requests)


def test_the_order_of_the_requests_changes_no_answer(fake: Fake) -> None:
    requests = [ask("Q", sample) for sample in range(8)]
    fake.say = lambda _question, _attempt: said(str(fake.bodies[-1]["seed"]))  # type: ignore[method-assign]
    forth = {c.request: c.text for c in engine(fake.address, concurrency=1).generate(requests)}
    back = {c.request: c.text for c in engine(fake.address, concurrency=1).generate(requests[::-1])}
    assert forth == back and len(set(forth.values())) == 8


def test_a_second_run_asks_for_the_failures_only(fake: Fake, tmp_path: Path) -> None:
    requests = [ask(f"Q{number}") for number in range(5)]
    fake.say = lambda question, _attempt: refusal(400) if question == "Q2" else None  # type: ignore[method-assign]
    first = {c.request: c for c in open_engine(Server(), "org/t", place(tmp_path, fake.address)).generate(requests)}
    fake.asked.clear()
    fake.say = lambda _question, _attempt: None  # type: ignore[method-assign]
    elsewhere = place(tmp_path, fake.address, concurrency=1, timeout=9, attempts=1)
    second = {c.request: c for c in open_engine(Server(), "org/t", elsewhere).generate(requests)}
    assert fake.asked == {"Q2": 1}
    assert {key for key in first if first[key].text != second[key].text} == {requests[2].key}
    gone = place(tmp_path, "http://127.0.0.1:9/v1", key_env="NOT_SET_ANYWHERE")
    assert len(list(open_engine(Server(), "org/t", gone).generate(requests))) == 5


def test_the_store_tells_models_apart_and_not_servers() -> None:
    name = engine("http://a/v1").name
    assert (
        name == engine("https://b:9/v1", concurrency=1).name == engine("http://a/v1", spec=Server(model="org/t")).name
    )
    others = [
        engine("http://a/v1", spec=Server(model="u")),
        engine("http://a/v1", ref="org/u"),
        engine("http://a/v1", ref="org/t@1"),
    ]
    assert len({name, *(other.name for other in others)}) == 4


def test_no_address_and_no_scores_are_told(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="no address"):
        open_engine(Server(), "org/t", Context(tmp_path, {"org/t": served("org/t")}))
    with pytest.raises(EngineError, match="`server` gives no token probabilities"):
        open_scorer(Server(), "org/t", place(tmp_path, "http://a/v1"))


def test_a_served_model_is_its_name_and_what_the_recipe_states() -> None:
    assert served("org/t") == Resolved("org/t", NOWHERE, "unversioned")
    assert served("org/t@1234").origin == "org/t@1234"
    assert served("org/t").identity != served("org/u").identity


def test_a_recipe_with_a_served_teacher_needs_none_of_its_weights(fake: Fake, tmp_path: Path) -> None:
    recipe = tmp_path / "served.yaml"
    text = {
        "extends": str(Path(__file__).parents[2] / "recipes" / "one_minute.yaml"),
        "name": "served",
        "teacher": {"model": "org/large", "engine": {"kind": "server"}, "terms": ["apache-2.0"]},
        "evaluate": {"primary": "heldout_teacher.chrf", "generation": {"items": 3}},
        "runtime": {"server": {"address": fake.address, "key_env": "THE_KEY"}},
    }
    recipe.write_text(json.dumps(text))
    folders = ["--runs", str(tmp_path / "runs"), "--cache", str(tmp_path / "cache")]
    assert main(["run", str(recipe), "--until", "evaluate/teacher", *folders]) == 0
    run = tmp_path / "runs" / "served"
    rows = list(read_rows(run / "1-heldout" / "rows.jsonl"))
    assert {row.provenance.origin for row in rows} == {"org/large@unversioned"}
    assert all(row.provenance.sampling["date"] and row.provenance.terms[0] == "apache-2.0" for row in rows)
    items = [json.loads(line) for line in (run / "5-evaluate-teacher" / "items.jsonl").read_text().splitlines()]
    assert {frozenset(item["metrics"]) for item in items} == {frozenset({"chrf"}), frozenset()}
    asked = len(fake.bodies)
    moved = ["--set", "runtime.server.concurrency=2", "--set", "evaluate.generation.items=2"]
    assert main(["run", str(recipe), "--until", "evaluate/teacher", *folders, *moved]) == 0
    assert len(fake.bodies) == asked
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
