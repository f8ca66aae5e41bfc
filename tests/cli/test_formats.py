"""What commands print with `--json` is what `docs/formats/` says, to the last key; every such command has a schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from jsonschema import Draft202012Validator

from tests.cli.rooms import Room, call
from tests.cli.test_people import key_of
from transfer.cli.main import app

FORMATS = Path(__file__).parents[2] / "docs" / "formats"
SCHEMAS = {
    path.name.removesuffix(".schema.json"): json.loads(path.read_text()) for path in FORMATS.glob("*.schema.json")
}


def fits(name: str, document: Any) -> None:
    errors = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(SCHEMAS[name]).iter_errors(document)
    ]
    assert errors == []


def named_in(title: str) -> Iterator[tuple[str, ...]]:
    """The commands that a schema's title names: `transfer campaign propose, approve --json` are two."""
    last: tuple[str, ...] = ()
    for part in title.removesuffix(" --json").replace(" --json,", ",").split(", "):
        words = tuple(word for word in part.split() if word.islower() and word[0].isalpha())
        last = words[1:] if words[0] == "transfer" else (*last[:-1], *words)
        yield last


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group) or hasattr(command, "commands"):
        for name, below in command.commands.items():
            yield from commands(below, (*path, name))
    else:
        yield path, command


def objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield node
        for value in node.values():
            yield from objects(value)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_schema_is_strict(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    for each in objects(SCHEMAS[name]):
        if "properties" in each:
            assert each["additionalProperties"] is False
            assert each.get("description") or each.get("title")
    assert f"`{name}.schema.json`" in (FORMATS / "README.md").read_text() or name.startswith("audit-")


def test_every_command_that_prints_facts_has_a_schema() -> None:
    described = {path for schema in SCHEMAS.values() for path in named_in(schema["title"])}
    printing = {
        path
        for path, command in commands(typer.main.get_command(app))
        if any("--json" in option.opts for option in command.params)
    }
    assert len(printing) > 20
    assert printing == described


def test_items(studio: Room, room: Room, tmp_path: Path) -> None:
    for place in (studio, room):
        document = place.must("status", "--json").json
        fits("status", document)
        for item in document["items"]:
            fits("show", place.must("show", item["item"], "--json").json)
    held = [item["item"] for item in studio.must("status", "--json", "--state", "held").json["items"]]
    for item in held[-3:]:
        fits("preview", studio.must("preview", item, tmp_path / item, "--json").json)
    samples = sorted((studio.root / "demo" / "samples").iterdir())
    (tmp_path / "~$x").touch()
    fits("check", studio.call("check", *samples, tmp_path / "~$x", "--json").json)


def test_decisions(room: Room) -> None:
    items = {name: row.item for name, row in room.items().items()}
    words = ("--as", "helen", "--key", room.key, "--json")
    fits("approve", room.must("approve", items["held.txt"], *words, "--public", "--risk", "high").json)
    fits("refuse", room.must("refuse", items["asked.txt"], *words, "--reason", "no").json)
    fits("withdraw", room.must("withdraw", items["released.txt"], *words, "--reason", "no").json)
    fits("pause", room.must("pause", *words, "--reason", "why").json)
    fits("pause", room.must("resume", *words, "--reason", "why").json)
    for item in items.values():
        fits("show", room.must("show", item, "--json").json)


def test_people(room: Room, tmp_path: Path) -> None:
    _, public = key_of(tmp_path, "nora")
    fits("key", call("people", "key", tmp_path / "nora.key", "--json").json)
    words = ("--as", "helen", "--key", room.key, "--json")
    fits("person", room.must("people", "add", "nora", "--role", "approver", "--public-key", public, *words).json)
    fits("person", room.must("people", "add", "dana", "--role", "auditor", "--json").json)
    fits("person", room.must("people", "disable", "nora", *words).json)
    fits("people", room.must("people", "list", "--json").json)


def test_campaigns_and_devices(room: Room) -> None:
    from tests.cli.test_campaigns import WORDS

    proposed = ("campaign", "propose", "library", "--as", "sam", *(part for pair in WORDS.items() for part in pair))
    fits("campaign", room.must(*proposed, "--json").json)
    fits("campaigns", room.must("campaign", "list", "--json").json)
    words = ("library", "--as", "helen", "--key", room.key, "--json")
    fits("campaign", room.must("campaign", "approve", *words).json)
    fits("campaign", room.must("campaign", "close", *words).json)
    fits("device", room.must("device", "add", "phone", "--json").json)
    fits("device", room.must("device", "disable", "ipad", "--json").json)
    fits("devices", room.must("device", "list", "--json").json)


def test_shards_and_holds(room: Room) -> None:
    who = ("--as", "helen", "--reason", "a test", "--json")
    holds = room.must("audit", "hold", "set", *who).json
    fits("audit-hold", holds)
    fits("audit-rotate", room.must("audit", "rotate", *who).json)
    fits("audit-verify", room.must("audit", "verify", "--json").json)
    fits("audit-hold", room.must("audit", "hold", "list", "--json").json)
    fits("audit-hold", room.must("audit", "hold", "release", holds["holds"][0]["hold"], *who).json)


def test_policy(room: Room) -> None:
    fits("policy-check", room.must("policy", "check", "--json").json)
    fits("policy-check", call("policy", "check", room.workspace.policy_file, "--json").json)
    fits("policy-show", room.must("policy", "show", "--json").json)
    for about in ("marking", "default-refuse", room.items()["held.txt"].item):
        fits("policy-explain", room.must("policy", "explain", about, "--json").json)


def test_init(tmp_path: Path) -> None:
    fits("init", call("init", tmp_path / "demo", "--demo", "--json").json)
    words = ("--approver", "Helen", "--submitter", "Sam", "--device", "ipad", "--json")
    fits("init", call("init", tmp_path / "real", *words).json)


def test_a_key_too_many_does_not_fit(room: Room) -> None:
    document = room.must("status", "--json").json
    with pytest.raises(AssertionError):
        fits("status", document | {"surplus": 1})
    document["items"][0]["surplus"] = 1
    with pytest.raises(AssertionError):
        fits("status", document)
