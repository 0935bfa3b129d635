"""style sheets, scripts and data -> what a page that stands alone holds of them.

One script at most, let in by its hash; data as JSON that nothing in it can end.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from distill.compare.html import TEMPLATES
from distill.rows import to_json

if TYPE_CHECKING:
    from markupsafe import Markup


def assets(styles: Sequence[str], scripts: Sequence[str]) -> dict[str, Markup | str]:
    """`style`, `script` and its `hash` for the page's policy, from files beside the templates."""
    from markupsafe import Markup

    style, script = (
        "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names) for names in (styles, scripts)
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return {"style": Markup(style), "script": Markup(script), "hash": digest}


def data(value: object) -> str:
    """JSON that can stand in a script element: nothing in it ends the element or begins another."""
    text = to_json(value)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text
