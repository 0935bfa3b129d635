"""One node of a workspace, made unless it is there: the loop of `distill run` and of the laboratory."""

from __future__ import annotations

import time

from distill import show, tracking
from distill.launch import start
from distill.workspace import Workspace


def step(workspace: Workspace, name: str) -> bool:
    """Make a node unless it is there; True when it was made."""
    artifact = workspace.find(name)
    made = artifact is None
    if artifact is None:
        say = workspace.context.say
        say(f"{name}: {show.because(workspace.why(name))}")
        started = time.monotonic()
        node = workspace.planned[name].node
        artifact = start(workspace, name) if node.launch else workspace.make(name)[0]
        say(show.made_line(name, artifact, time.monotonic() - started))
        if not node.launch:
            tracking.hand_over(workspace, name, artifact)
    workspace.link(name, artifact)
    return made
