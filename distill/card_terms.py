"""what something was made from -> the section of its card that says what may be done with it, and what must be done.

A card that lies with an artifact does not know what its recipe is for, and has the verdict for every use, by the shipped
registry. Where a student leaves the run (`distill export`) the section is written anew, with what the recipe's owner accepted,
his own entries and his permissions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from distill.cards import UNKNOWN, Ingredient, filled, license_id, shown
from distill.terms.applying import applying
from distill.terms.entry import FORMS, Form
from distill.terms.input import HOST, USES, Input, Role, Use
from distill.terms.outcome import applied, old, to_do
from distill.terms.registry import Registry
from distill.terms.shipping import OVERVIEW, Part
from distill.terms.verdict import Verdict, judge, permitted, sure

BEGIN, END = "<!-- terms -->", "<!-- /terms -->"
ROLES: dict[str, Role] = {
    "base": "base weights",
    "adapter": "adapter",
    "teacher": "teacher's answers",
    "real": "real data",
}
MODELS: tuple[Role, ...] = ("base weights", "adapter", "teacher's answers", "teacher's distributions")


def inputs(parts: Sequence[Ingredient]) -> list[Input]:
    """What a card says that something was made from, as the verdict reads it."""
    return [Input(ROLES[part.source], part.origin, part.terms) for part in parts]


def section(
    went_in: Sequence[Part],
    registry: Registry,
    forms: Sequence[Form] = FORMS,
    name: str = "",
    accepted: Mapping[str, str] | None = None,
    use: Use | None = None,
) -> str:
    """The section, between its two marks.

    Args:
        forms: what the card is of: an adapter, a merged model, rows.
        name: of the student, as it will be published.
        accepted: reasons for which the recipe's owner accepts what was to be reviewed.
        use: that of the recipe.
    """
    given = [part.input for part in went_in]
    verdicts = {one: judge(given, one, registry, name, accepted) for one in USES}
    widest = verdicts["redistribute"]
    entries = applied(given, registry)
    text = filled(
        "terms.md.j2",
        forms=list(forms),
        use=use,
        uses=[(one, [verdicts[one][form].level for form in forms]) for one in USES],
        reasons=_reasons([verdicts[one][form] for one in USES for form in forms]),
        conditions=to_do({form: widest[form] for form in forms}),
        notices=_notices([widest[form] for form in forms]),
        permissions=[
            one
            for one in registry.permissions
            if any(permitted(entry, each, registry) is one for each in given for entry in applying(each, registry)[0])
        ],
        disclosed={
            shown(part.input.origin): _disclosed(part, registry) for part in went_in if part.input.role in MODELS
        },
        checked=min((entry.checked.isoformat() for entry in entries if entry.checked), default=None),
        old=[entry.id for entry in entries if old(entry)],
    )
    return f"{BEGIN}\n{text.strip()}\n{END}\n"


def replaced(card: str, anew: str) -> str:
    """A card with another section of terms; at its end where it had none."""
    found = re.search(f"{re.escape(BEGIN)}.*?{re.escape(END)}\n", card, re.DOTALL)
    return f"{card.rstrip()}\n\n{anew}" if found is None else card[: found.start()] + anew + card[found.end() :]


def _reasons(verdicts: Sequence[Verdict]) -> list[tuple[str, str, str, list[str]]]:
    """Level, reason, origin and the uses that it stands against, each once; accepted ones with the reason for it."""
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    for verdict in verdicts:
        for judged in verdict.inputs:
            for one in judged.findings:
                if one.level != "ok":
                    level = f"accepted ({one.accepted})" if one.accepted else one.level
                    found.setdefault((level, one.why, shown(judged.input.origin)), {})[verdict.use] = None
    return [(*key, list(uses)) for key, uses in found.items()]


def _notices(verdicts: Sequence[Verdict]) -> list[str]:
    """Words that must be shown, such as `Built with Llama`."""
    duties = (duty for verdict in verdicts for one in verdict.inputs for duty, _ in one.duties)
    return list(dict.fromkeys(duty.text for duty in duties if duty.kind == "notice"))


def _disclosed(part: Part, registry: Registry) -> str:
    """What the makers of a model say of its training data, by the registry or by its card."""
    said = (entry.disclosed for entry in applying(part.input, registry)[0])
    stated = [one.text + sure(one.confidence) for one in said if one]
    if part.found.datasets:
        stated.append(f"its card names {', '.join(part.found.datasets)}")
    return "; ".join(stated) or "not stated"


def front(went_in: Sequence[Part], registry: Registry) -> dict[str, Any]:
    """`license` by all that applies, by what is declared and by what is known of names; `license_name` and `license_link`
    where no single licence of the hub's list covers everything."""
    terms = {term for part in went_in for term in _licences(part.input, registry)}
    licence = license_id(terms)
    named = {"license_name": "-and-".join(sorted(terms)), "license_link": OVERVIEW} if licence == "other" else {}
    return {"license": licence, **named}


def _licences(one: Input, registry: Registry) -> Iterator[str]:
    """Ids of what applies to an input as its card would declare them; `unknown` where something of it is not known."""
    declared = {entry.id: term for term in one.licences if (entry := registry.find(term))}
    entries, doubts = applying(one, registry)
    for entry in entries:
        if entry.licence is None:
            yield declared.get(entry.id, entry.id)
    yield from (term for term in one.licences if registry.find(term) is None)
    if any(doubt.entry is None or doubt.entry.startswith(HOST) for doubt in doubts):
        yield UNKNOWN
