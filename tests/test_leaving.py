"""What may leave this machine."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest

from distill.cards import escape
from distill.errors import DistillError
from distill.leaving import clean, refuse_secrets
from distill.rows import Message, Provenance, Row, read_rows, write_rows


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


def test_a_path_is_found_behind_a_link_in_an_address_alone_and_as_cards_and_pages_write_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, link = tmp_path / "real" / "so_me & body", tmp_path / "link"
    real.mkdir(parents=True)
    link.symlink_to(real)
    monkeypatch.setenv("HOME", str(link))
    monkeypatch.setattr("distill.leaving.gettempdir", lambda: "/nowhere/tmp")
    out = tmp_path / "out"
    out.mkdir()
    written = [
        (f"see file://{real}/a/x.txt, {link}/b and ({real}).", "see a/x.txt, b and (.)."),
        (escape(f"{real}/d_e"), escape("d_e")),
        (html.escape(f"<code>{real}/d</code>", quote=False), "&lt;code&gt;d&lt;/code&gt;"),
        (f"{real}s/x and {real}.old and https://h{real}/x", f"{real}s/x and {real}.old and https://h{real}/x"),
    ]
    for text, wanted in written:
        card = put(out, "README.md", text)
        clean(out, {}, ())
        assert card.read_text() == wanted
    page = put(out, "a.json", json.dumps({"a": f"first\n{real}/x", "b": str(link)}))
    clean(out, {}, ())
    assert json.loads(page.read_text()) == {"a": "first\nx", "b": "."}


def test_what_the_recipe_names_is_replaced_as_a_whole_path_alone(tmp_path: Path) -> None:
    card = put(tmp_path, "README.md", "/data/x on /database, /data-1, https://h/data/v1, /data@1; /srv/my\\_file@2")
    clean(tmp_path, {"/data": "data", "/srv/my_file": "my_file"}, ())
    assert card.read_text() == "data/x on /database, /data-1, https://h/data/v1, data@1; my\\_file@2"


def test_rows_stay_as_they_were_learnt_but_for_the_names_of_what_they_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    told = "cd /home/somebody/x; mount /data/m.gguf /données on /database \u2028"
    messages = (Message(role="user", content=told), Message(role="assistant", content="/data/m.gguf"))
    drawn = {
        "temperature": 0.5,
        "persona": "/data/m.gguf",
        "helped": ["/home/somebody/h@2"],
        "args": ["-c", "/data/m.gguf"],
    }
    made = Provenance(source="teacher", origin="/data/m.gguf@1", method="answer", root="0", sampling=drawn)
    rows = [Row(kind="chat", messages=messages, evidence={"passage": told}, provenance=made)]
    rows.append(
        rows[0].model_copy(update={"provenance": made.model_copy(update={"origin": "org/m@1", "sampling": {}})})
    )
    write_rows(tmp_path / "train.jsonl", rows)
    before = (tmp_path / "train.jsonl").read_text().split("\n")
    clean(tmp_path, {"/data/m.gguf": "m.gguf"}, ())
    first, second, _ = (tmp_path / "train.jsonl").read_text().split("\n")
    assert second == before[1], "to the sign"
    found = next(read_rows(tmp_path / "train.jsonl"))
    assert (found.id, found.messages, found.evidence) == (rows[0].id, messages, rows[0].evidence)
    assert json.loads(first)["id"] == found.id
    assert found.provenance.origin == "m.gguf@1"
    assert found.provenance.sampling == {**drawn, "helped": ["h@2"], "args": ["-c", "m.gguf"]}


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


@pytest.mark.parametrize(
    ("variable", "value", "text"),
    [
        ("MY_API_KEY", 'pa"ss\\word-99x', json.dumps({"content": 'is pa"ss\\word-99x'})),
        ("MY_API_KEY", "paß&word<99", html.escape("is paß&word<99")),
        ("MY_API_KEY", "paß_word_99", json.dumps("is paß_word_99")),
        ("MY_API_KEY", "pass_word_99", escape("is pass_word_99")),
        ("LETTERS_SECRET", "abcdefghijklmnop", "abcdefghijklmnop"),
        *((name, "zzzzzz1234zzzz", "zzzzzz1234zzzz") for name in "DB_PWD DB_PASS GH_PAT PAT AUTH BASIC_AUTH".split()),
        ("GPG_PASSPHRASE", "zzzzzz1234zzzz", "zzzzzz1234zzzz"),
        ("URL_TOKEN", "https://u:abc123xyz987@host/x", "from https://u:abc123xyz987@host/x"),
        ("DATABASE_URL", "postgres://u:abc%40xyz987@host/x", "abc@xyz987"),
        ("HTTPS_PROXY", "http://user:short@proxy:3128", "http://user:short@proxy:3128"),
    ],
)
def test_secrets_are_known_by_many_names_and_in_every_form(
    tmp_path: Path, variable: str, value: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    put(tmp_path, "a.md", f"line\n{text}\n")
    with pytest.raises(DistillError, match=rf"a.md:2 holds .*\${variable}"):
        refuse_secrets(tmp_path)


def test_settings_that_are_called_like_secrets_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    monkeypatch.setenv("XKEYSYMDB", "/usr/share/X11/XKeysymDB")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Some Body")
    monkeypatch.setenv("TOKEN_ADDRESS", "https://login.example.org/")
    monkeypatch.setenv("EMPTY_KEY", " " * 12)
    put(tmp_path, "a.md", f"false /usr/share/X11/XKeysymDB Some Body https://login.example.org/ {' ' * 20}")
    refuse_secrets(tmp_path)
