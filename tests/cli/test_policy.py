"""`transfer policy`: what is in force, whether a file loads, and what one rule means."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.rooms import Room, call

UNFOUNDED = """\
name = "site"
extends = "university"
[[rule]]
id = "x"
clauses = []
on = ["location"]
then = "refuse"
message = "It says where it was taken."
advice = "Take that out."
"""


def test_a_policy_that_loads(room: Room) -> None:
    facts = room.must("policy", "check", "--json").json
    assert facts["in_force"] is True
    assert facts["rules"] > 20
    assert facts["uncovered"] == []
    assert facts["sha256"] in room.must("policy", "check").out


def test_a_changed_policy_is_not_in_force_until_the_gateway_starts(room: Room) -> None:
    file = room.workspace.policy_file
    file.write_text(file.read_text() + "\n[approval]\nquorum = 2\n")
    answer = room.must("policy", "check", "--json").json
    assert answer["in_force"] is False
    assert "not in force yet" in room.must("policy", "check").out
    assert "when it starts" in room.must("policy", "show").err
    item = room.items()["held.txt"].item
    decided = room.call("approve", item, "--as", "helen", "--key", room.key, "--public", "--risk", "low")
    assert decided.code == 2
    assert "restart the gateway" in decided.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "site"\nextends = "univrsity"\n', "Did you mean `university`"),
        ('name = "site"\nextends = "university"\n[limts]\n', "line 3"),
        (UNFOUNDED, "clause"),
        ('name = "a"\nname = "b"\n', "line 2"),
    ],
)
def test_a_policy_that_does_not_load_says_which_line(tmp_path: Path, room: Room, text: str, said: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    answer = call("policy", "check", tmp_path / "mine.toml")
    assert answer.code == 2
    assert said in answer.err
    room.workspace.policy_file.write_text(text)
    for command in (("policy", "check"), ("status",), ("policy", "show")):
        assert room.call(*command).code == 2


def test_a_file_is_checked_without_a_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text('name = "mine"\nextends = "university"\n')
    answer = call("policy", "check", "mine.toml", "--json")
    assert answer.code == 0
    assert answer.json["in_force"] is None
    assert call("policy", "check", "none.toml").code == 2


def test_show_names_every_rule_with_its_clause(room: Room) -> None:
    facts = room.must("policy", "show", "--json").json
    told = room.must("policy", "show").out
    for name, rule in facts["policy"]["rules"].items():
        assert rule["clauses"]
        assert f"{name} [" in told


def test_explain(room: Room) -> None:
    assert "no-markings" in room.must("policy", "explain", "marking").out
    item = room.items()["held.txt"].item
    assert "WAITING" in room.must("policy", "explain", item).out
    wrong = room.call("policy", "explain", "markng")
    assert wrong.code == 1
    assert "Did you mean `marking`" in wrong.err
    unknown = room.call("policy", "explain", "i-00000000")
    assert unknown.code == 1
