"""One step of a plan, and its key: known before anything is run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from distill import artifacts
from distill.context import Resolved
from distill.names import folder_name, stage
from distill.protocols import Summary
from distill.rows import Frozen

Run = Callable[..., Summary]


@dataclass(frozen=True)
class Node:
    """One step of a plan."""

    name: str
    """`train`, `evaluate/student`, …"""
    order: int
    """Number of its folder in the run."""
    needs: tuple[str, ...]
    spec: Frozen
    run: Run
    version: int
    sources: tuple[str, ...] = ()
    """References in the spec."""
    stamped: tuple[str, ...] = ()
    """References whose terms it writes into what it makes."""
    launch: str | None = None
    """Key of `runtime.launch` that says how its processes are started; None runs in the calling process."""
    after: tuple[str, ...] = ()
    """Nodes that must have ended well before it; nothing of theirs is read, and they are in no key."""
    called: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What the stage calls some of its needs: `mix@real_only` is the mix to a training on it."""

    @property
    def before(self) -> tuple[str, ...]:
        """All nodes that must be there before it."""
        return (*self.needs, *self.after)

    @property
    def folder(self) -> str:
        """`5-evaluate-student`: its name in the run folder."""
        return f"{self.order}-{folder_name(self.name)}"


@dataclass(frozen=True)
class Planned:
    """A node with its key, which is known before anything is run."""

    node: Node
    identity: artifacts.Identity = field(repr=False)
    key: str


def keys(nodes: Sequence[Node], resolved: Mapping[str, Resolved]) -> dict[str, Planned]:
    """The key of every node from its spec, its sources and the keys of what it needs."""
    planned: dict[str, Planned] = {}
    for node in nodes:
        upstream = {name: artifacts.handed_on(planned[name].identity) for name in node.needs}
        sources = {ref: resolved[ref] for ref in node.sources}
        described = artifacts.identity(stage(node.name), node.version, node.spec, sources, upstream, node.stamped)
        planned[node.name] = Planned(node, described, artifacts.key_of(described))
    return planned
