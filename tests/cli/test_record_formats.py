"""What audit, backup, restore and doctor print is what `docs/formats/` says; and every event stands in its log.md."""

from __future__ import annotations

import inspect
import re
import shutil
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from tests.cli.rooms import Room, call
from tests.cli.test_formats import FORMATS, fits
from transfer.approvals import statement
from transfer.model.ends import Presence
from transfer.model.events import EventName
from transfer.model.identifiers import Sha256
from transfer.model.names import parse_safe_name
from transfer.model.states import Kind
from transfer.release.manifest import parse_manifest
from transfer.return_guard import messages
from transfer.return_guard.packets import render_message
from transfer.sandbox import requests


def test_audit(room: Room, tmp_path: Path) -> None:
    fits("audit-verify", room.must("audit", "verify", "--json").json)
    log = shutil.copytree(room.root / "log", tmp_path / "log")
    words = ("audit", "verify", log, "--vkey", room.vkey)
    fits("audit-verify", call(*words, "--older", log / "checkpoint", "--json").json)
    (log / "surplus").touch()
    bad = call(*words, "--json")
    assert bad.code == 4
    fits("audit-verify", bad.json)
    nothing = call("audit", "verify", tmp_path / "nowhere", "--vkey", room.vkey, "--json")
    assert nothing.code == 1
    fits("audit-verify", nothing.json)
    fits("audit-show", room.must("audit", "show", "--json").json)
    fits("audit-show", room.must("audit", "show", "--limit", "2", "--json").json)
    receipt = tmp_path / "receipt"
    room.must("audit", "prove", room.items()["released.txt"].item, "--out", receipt)
    fits("audit-receipt", call("audit", "verify", receipt, "--vkey", room.vkey, "--json").json)


def test_there_and_back(room: Room, tmp_path: Path) -> None:
    fits("backup", room.must("backup", tmp_path / "backup", "--json").json)
    (room.root / "staging" / "open-day" / "later.txt").write_text("Later.\n")
    item = room.items()["held.txt"].item
    room.must("withdraw", item, "--as", "helen", "--key", room.key, "--reason", "no")
    room.publish()
    again = Room(tmp_path / "again")
    fits("restore", call("restore", tmp_path / "backup", "--to", again.root, "--json").json)
    adopted = again.must("audit", "adopt", "--log", room.root / "log", "--json").json
    assert adopted["changed"] == [item]
    fits("audit-adopt", adopted)


def test_doctor(room: Room) -> None:
    fits("doctor", room.call("doctor", "--json").json)
    (room.workspace.keys / "log.key").chmod(0o644)
    fits("doctor", room.call("doctor", "--json").json)


def test_log_md_has_every_event_and_no_other() -> None:
    text = (FORMATS / "log.md").read_text()
    events = text.partition("## Events")[2].partition("\n## ")[0]
    described = re.findall(r"^\| `([a-z]+\.[a-z]+)` \|", events, flags=re.MULTILINE)
    assert sorted(described) == sorted(name.value for name in EventName)


def test_log_md_names_every_fact_that_a_lived_log_has(room: Room) -> None:
    """The facts of each kind of entry that this workspace has made stand in its row."""
    rows = {
        found[1]: found[2]
        for found in re.finditer(
            r"^\| `([a-z]+\.[a-z]+)` \|(.*)$", (FORMATS / "log.md").read_text(), flags=re.MULTILINE
        )
    }
    entries = room.must("audit", "show", "--limit", "1000", "--json").json["entries"]
    assert len({entry["event"] for entry in entries}) > 12
    for entry in entries:
        for fact in [*entry.get("facts", {}), *entry["private"]]:
            assert f"`{fact}`" in rows[entry["event"]], (entry["event"], fact)


def test_messages_md_has_every_message() -> None:
    text = (FORMATS / "messages.md").read_text()
    packets = re.findall(r"^\| (\d+) \| `(\w+)` \| (gateway|guard) \|", text, flags=re.MULTILINE)
    described = {(name, sender): int(kind) for kind, name, sender in packets}
    really = {(one.__name__, sender): kind for sender, kind, one in (*numbered("gateway"), *numbered("guard"))}
    assert described == really
    described_requests = re.findall(r"^\| `(\w+)` \| [^|]* \| [^|]* \| [^|]* \|$", text, flags=re.MULTILINE)
    assert sorted(described_requests[1:]) == sorted(
        re.findall(r'case "(\w+)":\n', inspect.getsource(requests.parse_request))
    )


def numbered(sender: str) -> list[tuple[str, int, type]]:
    """The kinds of packets that a sender's messages have, by making one of each."""
    name = parse_safe_name("a.txt")
    digest, moment = Sha256("ab" * 32), datetime(2026, 1, 1, tzinfo=UTC)
    expected = messages.Expected(stage=messages.Stage.COMING, name=name, temporary=name, sha256=digest, size=1)
    presence = Presence(name_sha256=digest, kind=Kind.FILE, size=1, sha256=digest, seen_at=moment)
    made: dict[type, object] = {
        messages.ListBegins: messages.ListBegins(1),
        messages.ListEnds: messages.ListEnds(1),
        messages.Expect: messages.Expect(1, expected),
        messages.Forget: messages.Forget(1, name),
        messages.Ask: messages.Ask(1, name),
        messages.Keep: messages.Keep(30),
        messages.SweepNow: messages.SweepNow(1),
        messages.Received: messages.Received("00" * 8, messages.Verdict.KNOWN),
        messages.Hello: messages.Hello(),
        messages.Beat: messages.Beat(1, 1),
        messages.Done: messages.Done(1),
        messages.Seen: messages.Seen(1, None),
        messages.Report: messages.Report(id="00" * 8, what=messages.What.MOVED, presence=presence),
        messages.Audited: messages.Audited(age=1),
    }
    kinds = messages.FromGateway if sender == "gateway" else messages.FromGuard
    return [(sender, render_message(made[one])[1], one) for one in get_args(kinds)]  # KeyError: one is missing here


def test_statement_md_has_every_kind_and_field() -> None:
    text = (FORMATS / "statement.md").read_text()
    rows = {
        found[1]: set(re.findall(r"`(\w+)`", found[2]))
        for found in re.finditer(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \| [^|]* \|$", text, flags=re.MULTILINE)
    }
    really = {one.kind: {field.name for field in fields(one)} - {"at", "by"} for one in get_args(statement.Statement)}
    assert rows == really


def test_manifest_md_shows_one_that_can_be_read() -> None:
    text = (FORMATS / "manifest.md").read_text().partition("```\n")[2].partition("```")[0]
    for digest in re.findall(r'"sha256":"(\w+)…"', text):
        text = text.replace(f'"{digest}…"', f'"{digest * 16}"')
    assert len(parse_manifest(text).entries) == 2
