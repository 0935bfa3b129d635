"""models -> whether a judge is related to what it judges: judges favour answers like their own.

A name says which family a model is of; what a distilled model was made from stands in its `student.json`. No weight is read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from distill.context import Resolved

KNOWN = (
    "aya", "baichuan", "bloom", "chatglm", "chatgpt", "claude", "codellama", "command", "dbrx", "deepseek", "dolly", "ernie",
    "exaone", "falcon", "gemini", "gemma", "glm", "gpt", "granite", "grok", "hermes", "hunyuan", "internlm", "kimi", "lfm",
    "llama", "minicpm", "minimax", "mistral", "mixtral", "mpt", "nemotron", "nova", "olmo", "opt", "phi", "pythia", "qwen", "qwq",
    "smollm", "solar", "stablelm", "starcoder", "tulu", "vicuna", "yi", "zephyr",
)  # fmt: skip
FROM = {
    "chatglm": "glm", "chatgpt": "gpt", "codellama": "llama", "hermes": "llama", "mixtral": "mistral", "qwq": "qwen",
    "tulu": "llama", "vicuna": "llama", "zephyr": "mistral",
}  # fmt: skip
"""Families that were trained from another, or are called by another name too."""
GENERIC = ("base", "chat", "judge", "model", "models", "student", "teacher", "train")


@dataclass(frozen=True)
class Model:
    """What a model is known by."""

    references: frozenset[str]
    """How recipes name it, and what it was trained from."""
    revisions: frozenset[str] = frozenset()

    @classmethod
    def of(cls, source: Resolved) -> Model:
        """A model that was followed: a distilled one is known by its base too."""
        references, revisions = {source.ref}, {source.identity}
        student = source.path / "student.json"
        if student.is_file():
            base = json.loads(student.read_text(encoding="utf-8"))["base"]
            references.add(str(base["ref"]))
            revisions.add(str(base["revision"]))
        return cls(frozenset(references), frozenset(revisions))

    @property
    def families(self) -> frozenset[str]:
        return frozenset[str]().union(*map(families, self.references))


def families(reference: str) -> frozenset[str]:
    """Families that a model's name tells of; several for one of a family that was distilled from another."""
    if reference.startswith("run:"):
        return frozenset()
    name = reference.partition("@")[0].rstrip("/").rpartition("/")[2].lower()
    words = re.findall(r"[a-z]+", name)
    # `tinyllama` and `qwen2` tell of theirs; in a short name such as `opt` a longer word is another.
    found = {family for family in KNOWN for word in words if word == family or (len(family) > 3 and family in word)}
    if re.match(r"o\d(-|$)", name):
        found.add("gpt")  # OpenAI's o1, o3-mini, …
    folder = reference.startswith((".", "/", "~"))  # called as its owner likes: `final` of two owners are two models
    if not found and not folder and words and len(words[0]) > 3 and words[0] not in GENERIC:
        found = {words[0]}  # a family that is not listed is called by its first word
    return frozenset(FROM.get(family, family) for family in found)


def kin(judge: Model, against: Mapping[str, Model]) -> str | None:
    """How a judge is related to models it should be strange to, in a sentence; None where nothing shows.

    Args:
        against: each of the others by what it is, such as `teacher`.
    """
    same = [
        role
        for role, other in against.items()
        if judge.references & other.references or judge.revisions & other.revisions
    ]
    if same:
        return f"The judge is the same model as the {' and the '.join(same)}: it may favour answers like its own."
    shared = {role: names for role, other in against.items() if (names := judge.families & other.families)}
    if not shared:
        return None
    named = ", ".join(sorted(frozenset[str]().union(*shared.values())))
    return (
        f"The judge is of the family of the {' and the '.join(shared)} ({named}): it may favour answers like its own."
    )
