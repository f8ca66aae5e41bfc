"""Policy files for the tests: texts, and what becomes of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from transfer.errors import Misuse
from transfer.policy.rulebook import load_policy, shipped_folder
from transfer.policy.rules import Policy

WHOLE = (shipped_folder() / "university.toml").read_text()
OVERLAY = 'name = "site"\nextends = "university"\n'
RULE = """
[[rule]]
id = "{id}"
clauses = ["G6"]
on = ["{on}"]
then = "{then}"
message = "So it is."
advice = "Do this."
"""


def loaded(folder: Path, text: str) -> Policy:
    path = folder / "policy.toml"
    path.write_text(text)
    return load_policy(path)


def misuse(folder: Path, text: str) -> str:
    with pytest.raises(Misuse) as caught:
        loaded(folder, text)
    return str(caught.value)


def with_rule(then: str, on: str, id_: str = "mine", base: str = OVERLAY) -> str:
    return base + RULE.format(id=id_, on=on, then=then)


def line_of(needle: str, text: str = WHOLE) -> int:
    return text[: text.index(needle)].count("\n") + 1
