"""an input -> the entries that apply to it, and what is not clear about which do."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from distill.terms.entry import Entry
from distill.terms.input import HOST, UNSEEN, Finding, Input
from distill.terms.registry import Registry


def applying(one: Input, registry: Registry) -> tuple[list[Entry], list[Finding]]:
    """Entries that apply to an input, and what is not clear about which do."""
    named, doubts = _named(one, registry)
    doubts += _contradiction(one, registry)
    hosting: list[Entry] = []
    for host in one.hosts:
        serving = registry.serving(host)
        hosting += serving
        if not serving and not local(host):
            doubts.append(_unknown_host(host))
    found: dict[str, Entry] = {}
    for term in one.licences:
        if (entry := registry.find(term)) is not None:
            found[entry.id] = entry
        else:
            doubts.append(Finding("review", f"{term!r} is not among the licences that are known here", term))
    stated = set(found)
    for entry in named:
        expected = {entry.id, *entry.aliases, *entry.also, *([entry.licence] if entry.licence else [])}
        if stated and not stated & expected:
            why = f"it declares {', '.join(one.licences)}, and what is known of its name is {entry.name}"
            doubts.append(Finding("review", why, entry.id, identity=True))
        found[entry.id] = entry
    if not one.seen:
        doubts.append(Finding("review", UNSEEN))
    elif not one.licences and not named and not any(entry.layer == "service" for entry in hosting):
        doubts.append(Finding("review", "no licence is declared"))
    found |= {entry.id: entry for entry in hosting}
    for entry in list(found.values()):
        for other in (*entry.also, *([entry.licence] if entry.licence else [])):
            extra = registry.find(other)
            if extra is not None:
                found.setdefault(extra.id, extra)
    return list(found.values()), doubts


def _named(one: Input, registry: Registry) -> tuple[list[Entry], list[Finding]]:
    """Entries that cover the input's name, or where none does those of what its card says that it was made from."""
    doubts: list[Finding] = []
    found: dict[str, Entry] = {}
    own = registry.covering(one.name, "data" if one.role == "real data" else "model")
    weights = [entry for entry in own if entry.layer != "service"]
    elsewhere = any(not local(host) for host in one.hosts)
    known = own if weights or elsewhere else []
    for covering in [known] if known else [registry.covering(base, "model") for base in one.made_from]:
        if len([entry for entry in covering if entry in weights or entry not in own]) > 1:
            names = " and ".join(entry.id for entry in covering)
            doubts.append(Finding("review", f"{names} both claim this name", identity=True))
        found |= {entry.id: entry for entry in covering if entry.layer != "service" or elsewhere}
    if one.hosts and not elsewhere:
        for entry in (entry for entry in own if entry.layer == "service"):
            why = f"the name is one of {entry.name}: if your server passes questions on to it, its terms apply"
            doubts.append(Finding("review", why, identity=True))
    return list(found.values()), doubts


def _unknown_host(host: str) -> Finding:
    return Finding("review", f"nothing is known of the terms of {host}", f"{HOST}{host}")


def _contradiction(one: Input, registry: Registry) -> Iterator[Finding]:
    """A recipe that states another licence than the thing itself; not where that one's is unclear, and so is made clear."""
    stated = {entry.id for term in one.licences if (entry := registry.find(term))}
    for term in one.card:
        entry = registry.find(term)
        if entry is not None and entry.id not in stated and entry.unclear is None:
            why = f"the recipe states {', '.join(one.licences)}, and its own card or package declares {term}"
            yield Finding("review", why, entry.id, identity=True)


def local(host: str) -> bool:
    """Whether it is a machine of one's own: by its number, or by a name that no public one has."""
    try:
        number = ip_address(host.strip("[]"))
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".lan"))
    return number.is_private or number.is_loopback or number.is_link_local
