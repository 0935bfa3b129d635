"""The name of a node -> what its folder and its job are called; the names of nodes that are there once for each seed."""

from __future__ import annotations

REAL_ONLY = "real_only"
"""Arm of the student that learns from real rows alone."""


def folder_name(node: str) -> str:
    """`evaluate/student#2` -> `evaluate-student-seed2`: nothing that a shell, a URL or a comment would cut off."""
    return node.replace("/", "-").replace("#", "-seed")


def job_name(node: str) -> str:
    """The same for Slurm, and for the variables of a shell script."""
    return folder_name(node).replace("@", "-")


def seeded(name: str, number: int) -> str:
    """Of a node or an arm that is there for each seed; the first has the plain name."""
    return name if number == 1 else f"{name}#{number}"


def stage(node: str) -> str:
    """The stage of a node: `train` of `train#2`, `train/sft` and `train@real_only`."""
    for mark in "/@#":
        node = node.partition(mark)[0]
    return node
