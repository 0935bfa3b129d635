"""The files of distill/ -> the tree in CONTRIBUTING.md: one comment per file, written by hand and kept.

    python scripts/tree.py           takes out what is gone, puts in what is new with the first line of its docstring
    python scripts/tree.py --check   says what it would change, and exits with 1 if anything

A folder that is listed without files stands for all of its files (templates).
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "CONTRIBUTING.md"
PACKAGE = "distill"
BLOCK = re.compile(r"(<!-- tree -->\n```\w*\n)(.*?)(```\n<!-- /tree -->)", re.DOTALL)
COLUMN = 26
"""Where comments start."""

Tree = dict[PurePosixPath, str]
"""Path to comment, in the order of the page."""


def parse(block: str) -> Tree:
    """The tree as it stands on the page; two spaces of indentation are one level."""
    tree: Tree = {}
    folders: list[str] = []
    for line in block.splitlines():
        name, _, comment = line.strip().partition(" ")
        depth = (len(line) - len(line.lstrip())) // 2
        folders = [*folders[:depth], name.rstrip("/")]
        tree[PurePosixPath(*folders)] = comment.strip()
    return tree


def render(tree: Tree) -> str:
    lines = []
    for path, comment in tree.items():
        slash = "/" if (ROOT / path).is_dir() else ""
        name = "  " * (len(path.parts) - 1) + path.name + slash
        lines.append(f"{name:{COLUMN - 1}} {comment}".rstrip() + "\n")
    return "".join(lines)


def files() -> list[PurePosixPath]:
    """Everything in the package that a reader may want to open, folder files aside."""
    found = (path for path in sorted((ROOT / PACKAGE).rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    wanted = (path for path in found if path.name not in ("__init__.py", "py.typed"))
    return [PurePosixPath(path.relative_to(ROOT).as_posix()) for path in wanted]


def covered(path: PurePosixPath, tree: Tree) -> bool:
    """Whether a file is listed, or stands somewhere under a listed folder of which nothing is."""
    if path in tree:
        return True
    listed = next(folder for folder in path.parents if folder in tree)
    return len(listed.parts) > 1 and not any(listed in other.parents for other in tree)


def comment_of(path: PurePosixPath) -> str:
    """First line of a module's docstring; of a folder, that of its package file."""
    source = ROOT / path / "__init__.py" if (ROOT / path).is_dir() else ROOT / path
    if source.suffix != ".py" or not source.is_file():
        return ""
    return (ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or "").partition("\n")[0].rstrip(".")


def updated(tree: Tree) -> Tree:
    """The tree with what is gone taken out and what is new put at the end of its folder."""
    entries = [(path, comment) for path, comment in tree.items() if (ROOT / path).exists()]
    for path in files():
        known = dict(entries)
        if covered(path, known):
            continue
        new = path.parent if path.suffix != ".py" and path.parent not in known else path
        for missing in [*reversed([p for p in new.parents if p.parts and p not in known]), new]:
            inside = [index for index, (other, _) in enumerate(entries) if missing.parent in other.parents]
            home = [index for index, (other, _) in enumerate(entries) if other == missing.parent]
            entries.insert(max(inside + home, default=-1) + 1, (missing, comment_of(missing)))
    return dict(entries)


def main(arguments: list[str]) -> int:
    text = PAGE.read_text(encoding="utf-8")
    match = BLOCK.search(text)
    if match is None:
        print(f"{PAGE.name} has no <!-- tree --> block", file=sys.stderr)
        return 1
    before = parse(match[2])
    after = updated(before)
    changes = [f"gone: {path}" for path in before if path not in after]
    changes += [f"not listed: {path}" for path in after if path not in before]
    changes += [f"no comment: {path}" for path, comment in after.items() if not comment and len(path.parts) > 1]
    if "--check" in arguments:
        print("\n".join(changes) or "the tree in CONTRIBUTING.md is up to date")
        return 1 if changes else 0
    PAGE.write_text(text[: match.start(2)] + render(after) + text[match.end(2) :], encoding="utf-8")
    print("\n".join(changes) or "nothing to change")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
