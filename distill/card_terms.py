"""what something was made from -> the section of its card that says what may be done with it, and what must be done.

A card that lies with an artifact does not know what its recipe is for, and has the verdict for every use, by the shipped
registry. Where a student leaves the run (`distill export`) the section is written anew, with what the recipe's owner accepted,
his own entries and his permissions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from distill.cards import Ingredient, filled
from distill.terms.applying import applying
from distill.terms.entry import FORMS, Form
from distill.terms.input import USES, Input, Role, Use
from distill.terms.outcome import to_do
from distill.terms.registry import Registry
from distill.terms.shipping import Part
from distill.terms.verdict import Verdict, judge, permitted

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
    entries = {entry.id: entry for one in given for entry in applying(one, registry)[0]}
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
        disclosed={part.input.origin: _disclosed(part, registry) for part in went_in if part.input.role in MODELS},
        checked=min((entry.checked.isoformat() for entry in entries.values() if entry.checked), default=None),
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
                    found.setdefault((level, one.why, judged.input.origin), {})[verdict.use] = None
    return [(*key, list(uses)) for key, uses in found.items()]


def _notices(verdicts: Sequence[Verdict]) -> list[str]:
    """Words that must be shown, such as `Built with Llama`."""
    duties = (duty for verdict in verdicts for one in verdict.inputs for duty, _ in one.duties)
    return list(dict.fromkeys(duty.text for duty in duties if duty.kind == "notice"))


def _disclosed(part: Part, registry: Registry) -> str:
    """What the makers of a model say of its training data, by the registry or by its card."""
    stated = [entry.disclosed for entry in applying(part.input, registry)[0] if entry.disclosed]
    if part.found.datasets:
        stated.append(f"its card names {', '.join(part.found.datasets)}")
    return "; ".join(stated) or "not stated"


def front(went_in: Sequence[Part], licence: str) -> dict[str, Any]:
    """`license_name` and `license_link` where no single licence of the hub's list covers everything."""
    if licence != "other":
        return {}
    terms = sorted({term for part in went_in for term in part.input.declared})
    return {"license_name": "-and-".join(terms), "license_link": "LICENSE.md"}
