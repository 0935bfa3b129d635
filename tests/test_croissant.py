"""croissant.json: read by mlcroissant, with the rows as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from distill.cards import DataCard
from distill.croissant import FILE, croissant, write
from distill.rows import write_rows
from distill.sources.content import hashed
from distill.terms.registry import shipped
from tests.test_cards import LEDGER, row

CARD = DataCard([*(row(i) for i in range(4)), row(8, source="real", terms=("cc-by-4.0", "house"))], [row(9)], LEDGER)


def put(folder: Path, card: DataCard = CARD) -> dict[str, Any]:
    for name, rows in card.files.items():
        write_rows(folder / name, rows)
    contents = croissant(card, {name: hashed(folder / name) for name in card.files}, shipped(), "training-data")
    write(folder / FILE, contents)
    return contents


def test_files_licences_and_how_the_rows_came_about(tmp_path: Path) -> None:
    found = put(tmp_path)
    assert [one["contentUrl"] for one in found["distribution"]] == ["train.jsonl", "heldout.jsonl"]
    assert found["distribution"][0]["sha256"] == hashed(tmp_path / "train.jsonl")[1]
    assert found["license"][0].endswith("/mit") and found["license"][-1] == "house"
    assert "written by models: 5 by org/teacher@1, method answer" in found["rai:dataCollection"]
    assert "by people: 1 from org/data@2" in found["rai:dataCollection"]
    assert found["rai:dataPreprocessingProtocol"] == ["3 teacher rows dropped: length.too_long"]
    assert "1 failed and 1 are missing" in found["rai:dataCollectionMissingData"]


def test_what_a_filter_for_personal_data_did_is_said(tmp_path: Path) -> None:
    ledger = {**LEDGER, "changed": {"teacher": {"privacy.email": 2}, "real": {}}}
    found = put(tmp_path, DataCard(CARD.train, [], ledger))
    assert found["rai:personalSensitiveInformation"] == ["Found by a filter and dropped or redacted: privacy.email 2"]
    assert [one["@id"] for one in found["recordSet"]] == ["train"]


def test_mlcroissant_finds_no_fault_and_reads_the_rows(tmp_path: Path) -> None:
    mlcroissant = pytest.importorskip("mlcroissant")
    put(tmp_path)
    data = mlcroissant.Dataset(jsonld=str(tmp_path / FILE))
    assert data.metadata.data_collection.startswith("Synthetic") and not data.metadata.ctx.issues.errors
    first = next(iter(data.records("train")))
    own = json.loads((tmp_path / "train.jsonl").read_text().splitlines()[0])
    assert first["train/id"].decode() == own["id"]
    assert [one["train/messages/role"].decode() for one in first["train/messages"]] == ["user", "assistant"]
    assert [term.decode() for term in first["train/provenance"]["train/provenance/terms"]] == ["mit"]
