"""What a teacher said -> the instruction in it, and whether it is one: without talk around it, whole, new.

    'Here is a new question:\\n\\n1. "What is a fjord?"\\n\\nI hope this helps!'  ->  'What is a fjord?'

It knows English talk around an instruction, and leaves other languages as they are. It asks nobody.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from distill.generate.author import Unusable, said
from distill.languages import spoken
from distill.protocols import Completion
from distill.rows import Message, Row, normalise
from distill.words import words

COPY = 0.7
"""Jaccard of the words of two instructions from which one is a copy of the other."""

_NAMES = "instruction|question|task|prompt|user|request|version|sentence|message|problem|translation|paraphrase|answer"
_MADE = "new|another|next|my|your|the|rewritten|rephrased|paraphrased|revised|evolved|simplified|translated"
LEAD = re.compile(
    rf"\*{{0,2}}(?:(?:{_MADE}) )*(?:{_NAMES})\s*\d*\s*(?::\s*\*{{0,2}}|\*\*\s*:)\s*"
    r"|[-*•]\s+|#+\s+|\d{1,3}[.):]\s+",
    re.I,
)
"""A label, bullet or number before an instruction."""
ANNOUNCED = re.compile(
    rf"(?:(?:sure|certainly|of course|okay|here)\b.*|(?:.*\b(?:{_MADE})\b.*)?\b(?:{_NAMES}|one)\s*\d*):", re.I | re.S
)
"""A line that only says that an instruction follows."""
CLOSING = re.compile(
    rf"(?:i hope|let me know|feel free|please let|good luck|note(?: that)?:?|explanation"
    rf"|(?:in )?(?:this|the) (?:(?:{_MADE}) )*(?:{_NAMES})|\*{{0,2}}(?:answer|response|solution)\*{{0,2}}:)(?!\w)",
    re.I,
)
"""The beginning of talk after an instruction."""
QUOTES = {'"': '"', "“": "”", "'": "'", "‘": "’", "`": "`", "«": "»", "**": "**"}
DECLARES = re.compile(
    r"(?:sure|certainly|yes|no|of course|okay|well|the answer|there (?:is|are|was|were)|it (?:is|was)|it's|this is|that's"
    r"|i(?:'m|'d|'ve| am| have| would| was| do| don't| think)|as an? (?:ai|language)|you're welcome|thank)\b",
    re.I,
)
"""The beginning of an answer."""
HELPS = re.compile(
    r"how (?:can|may) i (?:help|assist)(?: you\b|\?|$)|i(?:'m| am)(?: always)? (?:happy|glad|here|ready) to (?:help|assist|hear)"
    r"|i(?:'d| would) be (?:happy|glad) to|(?:is there )?anything else (?:i can|you(?:'d| would) like)"
    r"|let me know if you|feel free to|i hope (?:this|that|it) helps|you(?:'re| are) (?:very |most )?welcome|i can help you"
    r"|as an? (?:ai|artificial|language model)|sorry for (?:the|any) confusion"
    r"|^(?:(?:sure|certainly|of course|absolutely)[,!.]|(?:the )?assistant\b|here(?:'s| is| are)\b)",
    re.I,
)
"""What an assistant says, and a user does not."""

_QUESTION = (
    "what who whom whose which when where why how is are was were am do does did can could will would shall should may might"
    " must have has had isn't aren't don't doesn't didn't can't won't couldn't wouldn't shouldn't haven't what's who's how's"
    " where's"
)
_TASK = (
    "act add analyse analyze answer argue arrange ask assume build calculate change check choose classify combine compare complete"
    " compose compute consider convert correct count create debug decide define derive describe design determine develop discuss"
    " draft draw edit estimate evaluate examine explain express extract fill find fix format formulate generate give help identify"
    " imagine implement improve interpret invent judge justify let list make match modify name optimise optimize order outline"
    " pick plan play predict prepare prove propose provide rank rate read recommend reduce remove rephrase replace respond"
    " rewrite say select share show simplify simulate sketch solve sort split state suggest summarise summarize suppose teach"
    " tell think trace translate try turn use verify walk work write"
)
_FIRST = r"(?:(?:please|now|then|first|next|finally|also|and|so|kindly)[ ,]+)*"
_ASKS = re.compile(
    rf"(?:^|[.!:;]\s+|\n\W*){_FIRST}(?:{'|'.join((_QUESTION + ' ' + _TASK).split())})\b"
    rf"|,\s+{_FIRST}(?:what|how|why|{'|'.join(_TASK.split())})\b",
    re.I,
)
"""A clause of English that begins as questions and tasks do."""


def opening(row: Row) -> str:
    """What the user says first: a question that needs no context."""
    return next((message.content for message in row.messages if message.role == "user"), "").strip()


def lead(row: Row) -> list[Message]:
    """The system message that stands before it, if there is one."""
    return [message for message in row.messages[:1] if message.role == "system"]


def parse(text: str) -> str:
    """The one instruction in what the teacher said: the first paragraph after any lead-in, without label and quotes.

    >>> parse('Here is a new question:\\n\\n1. "What is a fjord?"\\n\\nI hope this helps!')
    'What is a fjord?'
    """
    parts = _parts(text)
    # "Sort these numbers:" is nothing without what follows it.
    first = "\n\n".join(parts[: 2 if parts[0].endswith(":") else 1])
    lines = _lines(first)
    # A list, or a question with talk after it, begins with the one instruction that was asked for.
    listed = len(lines) > 1 and bool(LEAD.match(lines[0]) and LEAD.match(lines[1].strip()))
    instruction = lines[0] if listed or lines[0].rstrip("\"'”*").endswith("?") else "\n".join(lines)
    return bare(instruction)


def unwrapped(text: str) -> str:
    """All that the teacher wrote, without talk before and after it: of a text that may have several paragraphs.

    >>> unwrapped('Sure, here it is:\\n\\nSort these.\\n\\n3 1 2\\n\\nI hope this helps!')
    'Sort these.\\n\\n3 1 2'
    """
    parts = _parts(text)
    parts[0] = "\n".join(_lines(parts[0]))
    end = next((place for place, part in enumerate(parts) if place and CLOSING.match(part)), len(parts))
    return bare("\n\n".join(parts[:end]))


def _parts(text: str) -> list[str]:
    """Its paragraphs, without those before the instruction that only announce it."""
    parts = [part.strip() for part in re.split(r"\n\s*\n", text.strip())]
    while len(parts) > 1 and ANNOUNCED.fullmatch(parts[0]):
        parts.pop(0)
    return parts


def _lines(paragraph: str) -> list[str]:
    """The same for lines; what stands before a line is its indentation, which code needs."""
    lines = [line.rstrip() for line in paragraph.splitlines()] or [""]
    while len(lines) > 1 and ANNOUNCED.fullmatch(lines[0].strip()):
        lines.pop(0)
    return lines


def bare(instruction: str) -> str:
    """Labels, numbers, bullets and enclosing quotes taken off, as many as there are."""
    before = None
    while before != instruction:
        before = instruction
        lead = LEAD.match(instruction)
        instruction = instruction[lead.end() if lead else 0 :].strip()
        for left, right in QUOTES.items():
            inner = instruction[len(left) : -len(right)]
            if instruction.startswith(left) and instruction.endswith(right) and inner and right not in inner:
                instruction = inner.strip()
    return instruction


def written(completion: Completion, longest: int, read: Callable[[str], str] = parse, what: str = "instruction") -> str:
    """The instruction in a completion.

    Args:
        longest: most words of it.

    Raises:
        Unusable: `engine_error`, `empty_…`, `unfinished_…` or `long_…`, with what it is.
    """
    text = read(said(completion, what))
    # Talk that is cut after a whole instruction does no harm.
    if completion.finish == "length" and completion.text.rstrip().endswith(text):
        raise Unusable(f"unfinished_{what}", text)
    if not any(character.isalpha() for character in text):
        raise Unusable(f"empty_{what}", text)
    if len(words(text)) > longest:
        raise Unusable(f"long_{what}", text)
    return text


def label_of(turns: Sequence[Message], text: str) -> str:
    """What the last turn puts right before a text ("Harder:"), if it is short enough to be a label."""
    label = turns[-1].content.partition(text)[0].strip()
    return label if len(label) <= 60 else ""


def recited(text: str, turns: Sequence[Message]) -> bool:
    """The text is one of the worked examples that it was to go on from."""
    return any(overlap(text, turn.content) >= COPY for turn in turns[:-1])


def without(label: str, text: str) -> str:
    """The text without a label that it repeats at its beginning, however often."""
    while label and text.casefold().startswith(label.casefold()):
        text = bare(text[len(label) :])
    return text


def asks(text: str) -> bool:
    """Whether a text asks for something: a question mark, or a clause that begins as questions and tasks do.

    Of a text that is not plainly English, clauses are not known: it is taken to ask.
    """
    if any(mark in text for mark in "?？؟") or not spoken(text, "en"):
        return True
    return bool(_ASKS.search(text.replace("’", "'")))


def overlap(one: str, other: str) -> float:
    """Jaccard of the words of two texts: 1 where both have the same, in whatever order."""
    mine, others = set(words(one)), set(words(other))
    return len(mine & others) / len(mine | others) if mine or others else float(normalise(one) == normalise(other))
