"""What may leave this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.errors import DistillError
from distill.leaving import clean, refuse_secrets


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_paths_of_this_machine_become_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    out = tmp_path / "out"
    out.mkdir()
    own = tmp_path / "data"
    card = put(
        out, "README.md", f"From {own}/x.csv@1, /home/somebody/models/m, `/usr/bin/env`, https://a.b/home/somebody/c."
    )
    clean(out, {f"{own}/x.csv": "x.csv"}, (tmp_path,))
    assert card.read_text() == "From x.csv@1, models/m, `/usr/bin/env`, https://a.b/home/somebody/c."


def test_a_vocabulary_is_left_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    words = put(tmp_path, "tokenizer.json", '{"/home/somebody/x": 1}')
    clean(tmp_path, {"/home/somebody/x": "x"}, ())
    assert words.read_text() == '{"/home/somebody/x": 1}'


def test_in_rows_only_what_the_recipe_names_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    rows = put(tmp_path, "train.jsonl", '{"content": "cd /home/somebody/x", "origin": "/data/m.gguf@1"}\n')
    clean(tmp_path, {"/data/m.gguf": "m.gguf"}, ())
    assert rows.read_text() == '{"content": "cd /home/somebody/x", "origin": "m.gguf@1"}\n'


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("README.md", "key: a1b2c3d4-e5f6\n", r"README.md:1 holds the value of \$SOME_API_KEY"),
        ("train.jsonl", '{}\n{"content": "a1b2c3d4-e5f6"}\n', "train.jsonl:2 holds"),
        ("report.json", "hf_" + "aB3dE5" * 6, r"a key by its marks \(hugging_face\)"),
        ("LICENSE", "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQ" * 3, "LICENSE:1 holds a key"),
    ],
)
def test_secrets_are_refused_and_not_repeated(
    tmp_path: Path, name: str, text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", "a1b2c3d4-e5f6")
    put(tmp_path, "fine.md", "nothing in it")
    refuse_secrets(tmp_path)
    put(tmp_path, name, text)
    with pytest.raises(DistillError, match=said) as caught:
        refuse_secrets(tmp_path)
    assert "a1b2c3d4" not in str(caught.value) and "aB3dE5" not in str(caught.value)


def test_settings_that_are_called_like_secrets_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    monkeypatch.setenv("XKEYSYMDB", "/usr/share/X11/XKeysymDB")
    monkeypatch.setenv("KEYRING", "enabledall")
    put(tmp_path, "a.md", "false /usr/share/X11/XKeysymDB enabledall")
    refuse_secrets(tmp_path)
