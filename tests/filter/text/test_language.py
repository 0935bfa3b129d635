"""Languages told and not told: hand-made cases, and the sentences of a corpus in 27 languages."""

from __future__ import annotations

from pathlib import Path

import chatterbot_corpus
import pytest
import yaml
from pydantic import ValidationError

from distill.filter.text.language import CODES, Language, detector
from distill.protocols import Verdict
from tests.filter.make import chat, pair, text

ENGLISH = "The old mill stands by the river, and nobody has ground corn there since the great flood."
FRENCH = "Le vieux moulin est au bord de la rivière, et personne n'y a moulu de blé depuis la grande crue."
HINDI = "पुरानी चक्की नदी के किनारे खड़ी है और बाढ़ के बाद से किसी ने वहाँ अनाज नहीं पीसा।"
CHINESE = "老磨坊矗立在河边,自从那次大洪水以来,再也没有人在那里磨过玉米。"
FOLDERS = {
    "bengali": "bn", "chinese": "zh", "dutch": "nl", "english": "en", "french": "fr", "german": "de", "hebrew": "he",
    "hindi": "hi", "indonesian": "id", "italian": "it", "japanese": "ja", "korean": "ko", "marathi": "mr",
    "oriya": "or", "persian": "fa", "portuguese": "pt", "russian": "ru", "spanish": "es", "tamil": "ta",
    "telugu": "te", "thai": "th", "traditionalchinese": "zh", "turkish": "tr", "ukrainian": "uk", "urdu": "ur",
}  # fmt: skip
"""Without Swedish, a third of which is English, Hindi in Latin letters, and Yoruba, of which hardly a line is long enough."""


def judged(answer: str, question: str = "q", **fields: object) -> Verdict:
    return Language.model_validate(fields).judge([chat(question, answer)])[0]


@pytest.mark.parametrize(("answer", "code"), [(ENGLISH, "en"), (FRENCH, "fr"), (HINDI, "hi"), (CHINESE, "zh")])
def test_a_language_is_allowed_or_not(answer: str, code: str) -> None:
    assert judged(answer, allow=[code]).keep
    assert judged(answer, allow=["de", code]).keep
    verdict = judged(answer, allow=["de"])
    assert (verdict.reason, verdict.score) == ("foreign", 1.0)
    assert verdict.evidence is not None and verdict.evidence.startswith(f"{code}: {answer[:20]}")


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "42",
        "Ja.",
        "Merci beaucoup!",
        "x = 3 + 4 = 7",
        "https://fr.wikipedia.org/wiki/Moulin_%C3%A0_eau_de_la_rivi%C3%A8re",
        "docker run --rm -it ubuntu bash",
        "SELECT name, age FROM people WHERE age > 30 ORDER BY name;",
        '{"name": "Anna", "age": 31, "city": "Paris"}',
        f"```\n{FRENCH}\n```",
        "Albert Einstein, Marie Curie, Niels Bohr, Werner Heisenberg",
        "Main kal bazaar ja raha hoon, kya tum mere saath chaloge?",
        "\ud800\ud800\ud800",
    ],
)
def test_what_cannot_be_told_is_kept(answer: str) -> None:
    assert judged(answer, allow=["en"]).keep


def test_mixed_texts() -> None:
    mixed = "मैं machine learning सीख रहा हूँ because it is fun और मुझे अच्छा लगता है"
    assert judged(mixed, allow=["hi"]).keep and judged(mixed, allow=["en", "hi"]).keep
    assert judged(mixed, allow=["en"]).reason == "foreign"
    assert judged("The word for thank you is 谢谢, as every traveller to China soon learns.", allow=["en"]).keep
    quoting = f"{ENGLISH}\n" * 4 + f"\n{FRENCH}\n"
    assert judged(quoting * 3, allow=["en"]).keep
    assert judged(quoting * 3, allow=["en"], max_share=0.1).reason == "foreign"
    switching = judged(f"{ENGLISH * 3}\n{CHINESE * 3}", allow=["en"])
    assert switching.reason == "foreign" and switching.score is not None and 0.3 < switching.score < 0.7


def test_the_prompts_language() -> None:
    assert judged(FRENCH, "Where does the old mill stand, and who works there?", same_as_prompt=True).score == 1.0
    assert judged(FRENCH, "Où se trouve le vieux moulin, et qui y travaille ?", same_as_prompt=True).keep
    assert judged(HINDI, f"{ENGLISH}\n{HINDI}", same_as_prompt=True).keep
    assert judged(FRENCH, "Where?", same_as_prompt=True).keep
    assert judged(FRENCH, f"Translate: {ENGLISH}", same_as_prompt=True).keep
    assert judged(FRENCH, f"Say it in French please: {ENGLISH}", same_as_prompt=True).keep
    both = {"allow": ["en", "fr"], "same_as_prompt": True}
    assert judged(FRENCH, "Where does the old mill stand, and who works there?", **both).reason == "not_the_prompts"


def test_every_answer_that_is_learnt_is_read() -> None:
    spec = Language(allow=("en",))
    rows = [chat("q", FRENCH, "r", ENGLISH), pair("q", ENGLISH, FRENCH), text(FRENCH), text(ENGLISH), chat(FRENCH)]
    assert [verdict.keep for verdict in spec.judge(rows)] == [False, False, False, True, True]
    follows = Language(same_as_prompt=True)
    assert not follows.judge([pair("Where does the old mill stand today?", ENGLISH, FRENCH)])[0].keep


def test_bounds_are_the_recipes() -> None:
    assert judged(FRENCH, allow=["en"], min_bytes=1000).keep
    assert judged("Merci beaucoup, mes amis!", allow=["en"], min_bytes=10, min_confidence=0.6).reason == "foreign"


def test_codes_are_those_of_the_model() -> None:
    assert {*CODES, "zxx"} == set(detector().labels)
    with pytest.raises(ValidationError, match="no language that can be told: english"):
        Language(allow=("english",))
    with pytest.raises(ValidationError, match="name the languages"):
        Language()


def corpus() -> dict[str, list[str]]:
    """Distinct sentences of chatterbot-corpus by the code of their language."""
    found: dict[str, set[str]] = {}
    for path in sorted((Path(chatterbot_corpus.__file__).parent / "data").glob("*/*.yml")):
        if path.parent.name in FOLDERS:
            talks = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader).get("conversations") or []
            turns = [turn for talk in talks if isinstance(talk, list) for turn in talk if isinstance(turn, str)]
            found.setdefault(FOLDERS[path.parent.name], set()).update(turns)
    return {code: sorted(texts) for code, texts in found.items()}


def test_sentences_of_a_corpus_in_24_languages() -> None:
    """None is dropped that is in its language; of those long enough to tell, nearly all are where another is asked for."""
    dropped: list[str] = []
    told = caught = 0
    for code, sentences in corpus().items():
        own, other = Language(allow=(code,)), Language(allow=("hi" if code == "en" else "en",))
        rows = [chat("q", sentence) for sentence in sentences[:150]]
        dropped += [row.answer for row, verdict in zip(rows, own.judge(rows), strict=True) if not verdict.keep]
        believed = [any(spoken for _, _, spoken in own._told(row.answer)) for row in rows]
        told += sum(believed)
        caught += sum(known and not verdict.keep for known, verdict in zip(believed, other.judge(rows), strict=True))
    assert dropped == [
        "logique heuristique algorithmique。",  # French, among Chinese ones
        "A secret society that has supposedly existed for centuries.",  # among Italian ones
        "I'm fine. Thank you, and you?",  # among Korean ones
    ]
    assert told > 1200 and caught > 0.97 * told
