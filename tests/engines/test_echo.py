"""The engine without a model reaches every end."""

from distill.context import Ranks
from distill.engines.echo import EchoEngine
from distill.protocols import Request, Sampling
from distill.rows import Message


def ask(question: str, tokens: int = 3) -> Request:
    return Request((Message(role="user", content=question),), Sampling(max_new_tokens=tokens))


def test_it_answers_with_the_question() -> None:
    (completion,) = EchoEngine("r", Ranks()).generate([ask("two  words")])
    assert (completion.text, completion.finish, completion.new_tokens) == ("two  words", "stop", 2)


def test_it_keeps_to_the_token_limit() -> None:
    (completion,) = EchoEngine("r", Ranks()).generate([ask("one two three four")])
    assert (completion.text, completion.finish, completion.new_tokens) == ("one two three", "length", 3)


def test_marks_make_it_fail_or_run_out() -> None:
    failed, long = EchoEngine("r", Ranks()).generate([ask("please [fail]"), ask("[long]")])
    assert failed.finish == "error" and failed.error
    assert (long.text, long.finish) == ("[long] [long] [long]", "length")


def test_ranks_share_distinct_requests() -> None:
    requests = [ask("a"), ask("b"), ask("a"), ask("c")]
    shares = [[c.text for c in EchoEngine("r", Ranks(rank, 2)).generate(requests)] for rank in (0, 1)]
    assert shares == [["a", "c"], ["b"]]


def test_another_teacher_is_another_engine() -> None:
    assert EchoEngine("r", Ranks()).name != EchoEngine("s", Ranks()).name
