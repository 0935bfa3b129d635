"""Two tokenizers -> proof that an id means the same to both, or what differs first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distill.errors import EngineError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer


def size(tokenizer: Tokenizer) -> int:
    """Ids from 0 that may stand for a token. Output layers are often padded beyond them, not all of a family alike."""
    return 1 + max(map(int, tokenizer.get_vocab().values()))


def shared(student: Tokenizer, teacher: Tokenizer, where: str) -> int:
    """Size of the vocabulary that both have, token by token.

    Args:
        where: what of the recipe the error is about.

    Raises:
        EngineError: an id that is another token to the other, or no token.
    """
    ours, theirs = ({token: name for name, token in one.get_vocab().items()} for one in (student, teacher))
    differ = sorted(token for token in ours.keys() | theirs.keys() if ours.get(token) != theirs.get(token))
    if differ:
        first = differ[0]
        said, other = (repr(names[first]) if first in names else "no token" for names in (ours, theirs))
        raise EngineError(
            f"the teacher's tokenizer is not the student's: {len(differ)} ids differ, first {first}, which is {said} to "
            f"the student and {other} to the teacher",
            where=where,
            hint="take a teacher and a student of one family, or train with `objective: sft` on the teacher's answers, "
            "which need no common tokens",
        )
    return size(student)
