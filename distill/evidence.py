"""Names among a row's evidence: what generation writes there, data may bring, and checks need."""

from __future__ import annotations

PASSAGE = "passage"
"""The text that an answer rests on."""
TITLE = "title"
"""What a document is called."""
TESTS = "tests"
"""Python that a solution must pass."""
ENTRY_POINT = "entry_point"
"""The name by which tests call a solution."""
REFERENCE = "reference"
"""The answer that is known to be right."""
SCHEMA = "schema"
"""The JSON Schema, as JSON, that an answer must fit."""
