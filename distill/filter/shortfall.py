"""The error of a run that kept too little: what was kept of what, why not more, and what to change."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from distill.errors import YieldError
from distill.filter.ledger import ENOUGH, Ledger

HINTS = {
    "finished.truncated": "raise generate.sampling.max_new_tokens",
    "finished.mid_sentence": "raise generate.sampling.max_new_tokens, or look at the teacher's stop tokens",
    "finished.unclosed_thinking": "raise generate.sampling.max_new_tokens: the teacher was still thinking",
    "length.too_long": "raise the bounds of the length filter, or ask for shorter answers",
    "length.too_short": "lower the bounds of the length filter",
    "repetition.repeated_words": "raise generate.sampling.temperature, or take a stronger teacher",
    "refusal.refused": "look at the prompts: the teacher refuses them",
    "echo.echoes_prompt": "take a stronger teacher, or look at its chat template",
    "echo.leaks_template": "look at the teacher's chat template and stop tokens",
    "language.foreign": "say in generate.methods which language is wanted (system), or allow more languages",
    "language.not_the_prompts": "say in generate.methods that answers follow the language of the question (system)",
    "near_duplicate.near_pair": "give generate more prompts, or raise the threshold of near_duplicate",
    "semantic_duplicate.alike_pair": "give generate more prompts, or raise the threshold of semantic_duplicate",
    "semantic_duplicate.alike_text": "give generate more topics or passages, or raise the threshold of semantic_duplicate",
    "exact_duplicate.same_pair": "give generate more prompts, or raise its temperature",
    "near_duplicate.near_text": "give generate more topics or passages, or raise the threshold of near_duplicate",
    "exact_duplicate.same_text": "give generate more topics or passages, or raise its temperature",
    "judge.low_score": "lower min_score of the judge, or take a stronger teacher",
    "judge.missing": "take a judge that can fill in a form, raise its max_new_tokens, or write missing: keep",
    "reward.missing": "take a model that reads longer texts, ask for shorter answers, or write missing: keep",
    "perplexity.too_surprising": "raise the upper bound of perplexity, which drops what students need most",
    "difficulty.not_helped": "look at the answers: they do not go with their questions",
    "privacy.email": "set `action: redact` for the privacy filter, or leave `email` out of its kinds",
    "privacy.name": "set `action: redact` for the privacy filter, or `names: false`",
    "privacy.phone": "set `action: redact` for the privacy filter, or leave `phone` out of its kinds",
    "blocklist.listed_word": "look at the list: it may hold a word that means something else here",
    "code.failed_tests": "take a stronger teacher, or ask for several `solutions`",
    "math.wrong_answer": "take a stronger teacher, or ask for several `answers`",
    "json_schema.not_json": "ask for JSON alone in the prompt, or take an engine that holds the teacher to a schema",
    "json_schema.unusable_schema": "mend the schemas in the data, or write one into `fits`, where a pattern is allowed",
    "grounded.unsupported": "tell the teacher to answer from the passage, or lower `support`",
    "contamination.question_seen": "take prompts that are not evaluated on",
    "contamination.reworded": "take prompts that are not evaluated on, in other words either",
    "contamination.neighbour": "take prompts that are not evaluated on, or raise the similarity of contamination",
    "contamination.overlap": "take prompts that are not evaluated on, or raise the overlap of contamination",
}
"""What to do about the reason that costs most."""


def too_few(ledger: Ledger, rows: int, min_yield: float, out: Path) -> YieldError:
    """The error of a run that kept too little: what was kept, the commonest reasons and one example of each."""
    teacher = ledger.teacher
    lost = Counter({reason: count for reason, count in teacher.dropped.items() if reason not in ENOUGH})
    lost += Counter({"failed to be generated": teacher.failed, "never answered": teacher.missing})
    lines = [
        f"{teacher.kept} of {rows} rows kept; the filters accepted {ledger.accepted} of {teacher.requested}, "
        f"and must accept {min_yield:.0%}"
    ]
    if len(ledger.by_method) > 1:
        lines.append("  by method: " + ", ".join(f"{name} {one.kept}" for name, one in ledger.by_method.items()))
    for reason, count in lost.most_common(5):
        example = ledger.examples.get(reason)
        # repr leaves no character in the message that could act on a terminal.
        shown = f": {example['question']!r:.120} -> {example['answer']!r:.160}" if example else ""
        lines.append(f"  {count} {reason}{shown}")
    hint = next((HINTS[reason] for reason, _ in lost.most_common(2) if reason in HINTS), None)
    more = f"ask for fewer rows, or raise generate.budget.candidates; all dropped rows are in {out / 'dropped.jsonl'}"
    return YieldError("\n".join(lines), where="filter", hint=f"{hint}; or {more}" if hint else more)
