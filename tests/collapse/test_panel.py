"""The panel: what is less varied is seen, what is alike is not, and how much there is makes no difference."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest

from distill.collapse.panel import KINDS, Panel, apart, panel
from distill.collapse.sample import FEWEST, draw, matched, shared
from tests.collapse.texts import texts
from tests.evaluate.fakes import row

REAL = texts(400, 30, 1500)
BY_WORDS = [name for name in KINDS if not name.endswith("_embedded")]


def against(other: list[list[str]]) -> Panel:
    found = panel({"real": REAL, "other": other}, "real")
    assert found is not None
    return found


def beside(name: str, found: Panel) -> tuple[float, float, float]:
    number = found.beside[name]["other"]
    return number.value, number.low, number.high


@pytest.fixture(scope="module")
def fewer_words() -> Panel:
    return against(texts(400, 30, 300, seed=1))


@pytest.fixture(scope="module")
def fourfold() -> Panel:
    return against(texts(100, 30, 1500, seed=1) * 4)


@pytest.mark.parametrize("name", sorted(set(BY_WORDS) - {"distinct_3", "hapax", "self_repetition", "self_bleu"}))
def test_a_smaller_vocabulary_is_seen(name: str, fewer_words: Panel) -> None:
    _, low, high = beside(name, fewer_words)
    assert high < 0 if KINDS[name].better == "higher" else low > 0


@pytest.mark.parametrize("name", ["distinct_3", "compression", "self_repetition", "self_bleu", "vendi"])
def test_texts_that_are_there_four_times_are_seen(name: str, fourfold: Panel) -> None:
    _, low, high = beside(name, fourfold)
    assert high < 0 if KINDS[name].better == "higher" else low > 0


def test_length_alone_makes_no_difference() -> None:
    value, low, high = beside("distinct_1", against(texts(400, 120, 1500, seed=2)))
    assert low < 0 < high and abs(value) < 0.02


def test_how_many_there_are_makes_no_difference() -> None:
    few, many = (beside("entropy_1", against(texts(count, 30, 300, seed=3)))[0] for count in (400, 1600))
    assert few == pytest.approx(many, abs=0.1)


def test_intervals_of_two_halves_of_one_set_hold_zero_about_as_often_as_they_say() -> None:
    outside = 0
    for seed in range(12):
        both = texts(400, 25, 900, seed=100 + seed)
        found = panel({"real": both[:200], "other": both[200:]}, "real", seed)
        assert found is not None
        outside += sum(not n.low <= 0 <= n.high for of in found.beside.values() for n in of.values())
    assert outside / (12 * len(BY_WORDS)) < 0.15


def test_too_few_texts_say_nothing() -> None:
    assert panel({"real": REAL, "other": REAL[: FEWEST - 1]}, "real") is None


def test_matched_texts_are_of_one_number_and_one_length() -> None:
    cut = matched({"a": texts(9, 40, 5), "b": [text[:n] for n, text in enumerate(texts(12, 40, 5), 5)]})
    assert [len(text) for text in cut["a"]] == [len(text) for text in cut["b"]]
    assert len(cut["a"]) == 9


def test_what_is_drawn_does_not_depend_on_the_order_of_the_rows() -> None:
    rows = [row(f"Why {n}?", f"Because of {n} things.") for n in range(50)]
    shuffled = random.Random(0).sample(rows, len(rows))
    assert draw(rows, 1).texts == draw(shuffled, 1).texts
    assert draw(rows, 1).rows == 50


def test_lengths_apart_is_kolmogorovs() -> None:
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(0)
    a, b = rng.integers(1, 30, 80).tolist(), rng.integers(5, 40, 120).tolist()
    assert apart(a, b) == pytest.approx(ks_2samp(a, b).statistic)


def test_more_texts_do_not_change_the_order_of_corpora() -> None:
    """Whatever is beyond the stated minimum: a run of hundred rows and one of thousands rank the same way."""
    ranked = ("coverage", "entropy_1", "entropy_2", "distinct_1", "compression", "self_bleu", "vendi", "dispersion")
    orders = set()
    for count in (2 * FEWEST, 200, 800):
        corpora = {f"of {size}": texts(count, 25, size, seed=size) for size in (2000, 600, 150)}
        found = panel({"real": texts(count, 25, 2000), **corpora}, "real", halves=8)
        assert found is not None
        for name in ranked:
            values = {corpus: number.value for corpus, number in found.numbers[name].items() if corpus != "real"}
            best = sorted(values, key=values.__getitem__, reverse=KINDS[name].better == "higher")
            orders.add(tuple(best))
    assert orders == {("of 2000", "of 600", "of 150")}


def test_an_embedder_is_asked_once_a_corpus_and_sees_what_words_do_not() -> None:
    class Meaning:
        """Texts mean what their first letter says."""

        def __init__(self) -> None:
            self.asked = 0

        def embed(self, said: Sequence[str]) -> np.ndarray:
            self.asked += 1
            return np.eye(4, dtype=np.float32)[[ord(text[0]) % 4 for text in said]]

        def close(self) -> None:
            raise AssertionError("the panel did not open it")

    meaning = Meaning()
    real = [[f"{'abcd'[n % 4]}{word}" for word in text] for n, text in enumerate(texts(120, 20, 900))]
    same = [[f"a{word}" for word in text] for text in texts(120, 20, 900, seed=1)]
    found = panel({"real": real, "same": same}, "real", embedder=meaning)
    assert found is not None and meaning.asked == 2
    assert found.numbers["vendi_embedded"]["real"].value == pytest.approx(4, abs=0.2)
    assert found.numbers["vendi_embedded"]["same"].value == pytest.approx(1)
    assert found.beside["dispersion_embedded"]["same"].high < 0


def test_a_set_beside_itself_is_no_richer_and_no_poorer_than_it_is() -> None:
    found = panel({"real": REAL, "same": list(reversed(REAL))}, "real")
    assert found is not None
    assert found.numbers["coverage"]["same"] == found.numbers["coverage"]["real"]
    assert all(
        of["same"].value == pytest.approx(0, abs=1e-9) for kind, of in found.beside.items() if kind != "compression"
    )


def test_peoples_rows_in_a_mix_are_not_held_against_themselves() -> None:
    """A poor teacher beside half of people's rows covers what half of those would cover, and not the very rows that it has."""
    people, fresh, poor = texts(400, 30, 20_000), texts(200, 30, 20_000, seed=9), texts(200, 30, 100, seed=4)
    mixed = [*people[:200], *poor]
    random.Random(0).shuffle(mixed)
    own, other = (panel({"real": people, "mix": mix}, "real", halves=8) for mix in (mixed, [*fresh, *poor]))
    assert own is not None and other is not None
    values = own.numbers["coverage"]["mix"].value, other.numbers["coverage"]["mix"].value
    assert values[0] == pytest.approx(values[1], abs=0.02) and values[0] < own.numbers["coverage"]["real"].value


def test_copies_of_a_text_go_with_one_of_peoples_each() -> None:
    people = [["a"], ["b"], ["a"]]
    assert shared([["a"], ["a"], ["a"], ["c"], ["b"]], people) == [0, 2, 2, -1, 1]
