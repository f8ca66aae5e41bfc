"""One workspace lives through everything: each thing that matters is an entry, and no leaf names anybody."""

from __future__ import annotations

import itertools
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.cli.rooms import Room, call
from transfer.approvals.statement_keys import parse_public_key
from transfer.housekeeping import Housekeeping
from transfer.model.events import EventName
from transfer.upkeep import Upkeep

pytestmark = pytest.mark.slow

PERSONAL = (
    "Petra Winterfeld", "Quirin Ostermann", "winterfeld-garden", "winterfeld-cellar", "winterfeld-tower",
    "winterfeld-hall", "winterfeld-post", "ostermannsend", "foreign-winterfeld", "Winterfeld's tablet",
    "Ostermann says so", "Ostermann wants a break", "Ostermann is back", "Ostermann takes it back",
    "Ostermann's purpose", "Ostermann's justification", "Ostermann's assessment", "Ostermann closes it",
    "Winterfeld asked", "Winterfeld left",
)  # fmt: skip
# Written by parts that a test of one workspace cannot bring about; each has its own test elsewhere.
ELSEWHERE = {
    EventName.VALVE_OPEN,
    EventName.STATION_FAILED,
    EventName.RELEASE_ALTERED,
    EventName.RELEASE_RESTORED,
    EventName.RELEASE_RECALLED,
    EventName.RELEASE_VERIFIED,  # a release folder in OneDrive: test_onedrive_recheck.py
    EventName.RELEASE_REWRITTEN,
    EventName.RELEASE_MISMATCH,
    EventName.RELEASE_EXPOSED,  # test_access.py
    EventName.RELEASE_ENCLOSED,
    EventName.EVIDENCE_EXPIRED,
    EventName.FEEDBACK_EXPIRED,
    EventName.EXPORT_MADE,
    EventName.SHARD_SEALED,  # shards and holds: test_shards.py, test_retention.py
    EventName.SHARD_OPENED,
    EventName.SHARD_PRUNED,
    EventName.STATEMENT_CARRIED,
    EventName.FILE_CARRIED,
    EventName.HOLD_SET,
    EventName.HOLD_RELEASED,
}


class Shifted:
    """The time, some days on."""

    def __init__(self, days: int) -> None:
        self.by = timedelta(days=days)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


def entries(room: Room) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(room.workspace.database)) as connection:
        return [json.loads(leaf) for (leaf,) in connection.execute("SELECT leaf FROM audit_entry ORDER BY i")]


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """A life, from `init` to a restore."""
    folder = tmp_path_factory.mktemp("everything")
    room = Room(folder / "w")
    assert call("init", room.root, "--demo").code == 0
    people(room, folder)
    campaigns(room)
    files(room)
    settings = room.workspace.settings_file
    settings.write_text(settings.read_text().replace("[log]\n", "[log]\nverify_hours = 12\n"))
    policy = room.workspace.policy_file
    policy.write_text(policy.read_text() + '\n[markings]\nany_case = ["FOR STAFF ONLY"]\n')
    (room.root / "release" / "foreign-winterfeld.txt").write_text("From the device.\n")
    (room.root / "release" / "winterfeld-hall.txt").unlink()
    room.gateway()
    time_passes(room)
    erased(room)
    failed_verification(room)
    room.must("backup", folder / "backup")
    room.publish()
    assert call("restore", folder / "backup", "--to", folder / "again").code == 0
    again = Room(folder / "again")
    again.must("audit", "adopt", "--log", room.workspace.log)
    again.publish()
    again.must("audit", "verify")
    return again


def people(room: Room, folder: Path) -> None:
    key, public = folder / "quirin.key", folder / "quirin.pub"
    public.write_text(call("people", "key", key).out)
    assert parse_public_key(public.read_bytes())
    helen = ("--as", "helen", "--key", room.key)
    room.must("people", "add", "Quirin Ostermann", "--role", "approver", "--public-key", public, *helen)
    petra = room.must("people", "add", "Petra Winterfeld", "--role", "submitter", "--json").json["person"]["person"]
    with room.workspace.settings_file.open("a") as settings:
        settings.write(source(petra))
    room.must("device", "add", "winter", "--label", "Winterfeld's tablet")
    room.must("device", "disable", "winter")


def source(person: str) -> str:
    return f'\n[[source]]\nid = "second"\npath = "second"\nsubmitter = "{person}"\n'


def campaigns(room: Room) -> None:
    quirin = ("--as", "Quirin Ostermann", "--key", room.root.parent / "quirin.key")
    today = datetime.now(UTC).date()
    room.must(
        "campaign", "propose", "winter", "--account", "@university", "--from", str(today), "--until", str(today),
        "--risk", "low", "--purpose", "Ostermann's purpose", "--justification", "Ostermann's justification",
        "--assessment", "Ostermann's assessment", "--as", "Quirin Ostermann",
    )  # fmt: skip
    room.must("campaign", "approve", "winter", *quirin)
    room.must("campaign", "close", "winter", *quirin, "--reason", "Ostermann closes it")


def files(room: Room) -> None:
    quirin = ("--as", "Quirin Ostermann", "--key", room.root.parent / "quirin.key")
    folder = room.root / "second" / "open-day"
    (folder / "winterfeld-post").mkdir(parents=True)
    for number, name in enumerate(("garden", "cellar", "tower", "hall")):
        (folder / f"winterfeld-{name}.txt").write_text(f"Words {number}.\n")
    (folder / "winterfeld-asks.txt").write_text("Write to petra.winterfeld@mail.example-house.org!\n")
    (folder / "winterfeld-post" / "winterfeld-tower.ostermannsend").write_text("Not a kind that goes.\n")
    (folder / "winterfeld-post" / "winterfeld-tower.exe").write_text("Nor this.\n")
    room.gateway()
    items = {name: row.item for name, row in room.items().items()}
    for name in ("garden", "hall"):
        item = items[f"winterfeld-{name}.txt"]
        room.must("approve", item, *quirin, "--public", "--risk", "low", "--note", "Ostermann says so")
    room.must("review", items["winterfeld-asks.txt"], *quirin, "--reason", "Ostermann asked Winterfeld")
    room.must("refuse", items["winterfeld-cellar.txt"], *quirin, "--reason", "Ostermann says so")
    room.must("pause", *quirin, "--reason", "Ostermann wants a break")
    room.must("resume", *quirin, "--reason", "Ostermann is back")
    room.gateway()
    room.must("withdraw", items["winterfeld-garden.txt"], *quirin, "--reason", "Ostermann takes it back")
    room.gateway()


def time_passes(room: Room) -> None:
    """A clock that is moved, and what the policy keeps no longer."""
    with room.site() as site:
        site.desk.clock.now()
        steady = itertools.count()
        clock = mock.Mock(now=mock.Mock(side_effect=[datetime.now(UTC), datetime.now(UTC) + timedelta(hours=1)]))
        watch = mock.Mock(spec=Upkeep)
        watch.configure_mock(
            clock=clock, monotonic=lambda: float(next(steady)), _clocks=None, db=site.db, recorder=site.log
        )
        for _ in range(2):
            Upkeep._watch_clock(watch)
        keeping = Housekeeping(
            db=site.db, register=site.register, recorder=site.log, blobs=site.blobs, policy=site.policy,
            clock=Shifted(4000),
        )  # fmt: skip
        while keeping.round():
            pass


def erased(room: Room) -> None:
    petra = next(
        str(one["person"]) for one in room.must("people", "list", "--json").json["people"] if one["name"] == PERSONAL[0]
    )
    room.must("people", "disable", "Petra Winterfeld")
    text = room.workspace.settings_file.read_text()
    room.workspace.settings_file.write_text(text.replace(source(petra), ""))
    room.must("people", "erase", petra, "--as", "helen", "--ground", "Winterfeld asked")
    quirin = room.must("people", "list", "--json").json["people"]
    assert quirin
    helen = ("--as", "helen", "--key", room.key)
    room.must("people", "disable", "Quirin Ostermann", *helen, "--reason", "Winterfeld left")


def failed_verification(room: Room) -> None:
    room.publish()
    surplus = room.workspace.log / "foreign-winterfeld"
    surplus.touch()
    assert room.call("audit", "verify").code == 4
    surplus.unlink()


EXPECTED: dict[EventName, set[str]] = {
    EventName.GATEWAY_INITIALISED: {"version"},
    EventName.GATEWAY_STARTED: {"version", "schema", "landlock", "seccomp", "scanner", "policy", "entries_checked"},
    EventName.GATEWAY_STOPPED: {"version"},
    EventName.GATEWAY_PAUSED: {"kind", "statement", "statement_sha256"},
    EventName.GATEWAY_RESUMED: {"kind", "statement", "statement_sha256"},
    EventName.CLOCK_STEPPED: {"milliseconds"},
    EventName.POLICY_ADOPTED: {"policy", "sha256"},
    EventName.SETTINGS_ADOPTED: {"sha256"},
    EventName.PERSON_ENROLLED: {"person", "role"},
    EventName.PERSON_DISABLED: {"person"},
    EventName.PERSON_ERASED: {"person", "openings", "words", "items"},
    EventName.CAMPAIGN_PROPOSED: {"campaign", "account", "starts", "ends", "risk", "details"},
    EventName.CAMPAIGN_APPROVED: {"campaign", "kind", "statement", "statement_sha256"},
    EventName.CAMPAIGN_CLOSED: {"campaign", "kind", "statement", "statement_sha256"},
    EventName.DEVICE_ADDED: {"device"},
    EventName.DEVICE_DISABLED: {"device"},
    EventName.FILE_SPOOLED: {"kind", "source"},
    EventName.FILE_EXAMINED: {"media", "findings", "scans", "tools"},
    EventName.FILE_REBUILT: {"from", "format", "removed", "left", "packets", "findings", "scans"},
    EventName.FILE_HELD: {"waiting_for", "reasons", "raw"},
    EventName.FILE_REFUSED: {"reached", "reasons", "findings"},
    EventName.FILE_APPROVED: {"statement_sha256"},
    EventName.FILE_RELEASING: {"number", "device", "format", "statement_sha256"},
    EventName.FILE_RELEASED: {"number", "device", "format", "statement_sha256"},
    EventName.FILE_WITHDRAWN: {"statement_sha256"},
    EventName.FILE_EXPIRED: {"days", "what"},
    EventName.ORIGINAL_RETIRED: {"removed"},
    EventName.STATEMENT_ACCEPTED: {"kind", "statement", "statement_sha256"},
    EventName.RETURN_REFUSED: {"kind"},
    EventName.RELEASE_REMOVED: {"number"},
    EventName.BACKUP_MADE: {"made_at", "files", "bytes", "keys", "log_key", "damaged"},
    EventName.BACKUP_RESTORED: {"entries", "taken_over"},
    EventName.VERIFY_FAILED: {"kind", "place", "found_by"},
}


def test_every_event_is_looked_at_here_or_elsewhere() -> None:
    assert set(EventName) == set(EXPECTED) | ELSEWHERE


def test_everything_that_matters_is_an_entry_with_its_facts(lived: Room) -> None:
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in entries(lived):
        found.setdefault(entry["event"], []).append(entry)
    lacking = {name.value for name in EXPECTED} - set(found)
    assert lacking == set()
    for name, facts in EXPECTED.items():
        for entry in found[name.value]:
            assert facts <= set(entry.get("facts", {})), entry
    for entry in (*found["file.held"], *found["file.refused"]):
        assert len(entry["policy"]["sha256"]) == 64
        assert all(reason["rule"] and reason["clauses"] for reason in entry["facts"]["reasons"])
    for entry in found["file.examined"]:
        assert entry["facts"]["tools"]
        assert entry["facts"]["scans"]
    for entry in found["statement.accepted"]:
        assert "\n— u_" in entry["facts"]["statement"]  # the signature itself
    assert len({entry["facts"]["sha256"] for entry in found["policy.adopted"]}) == 2
    assert len({entry["facts"]["sha256"] for entry in found["settings.adopted"]}) >= 2
    assert {entry["facts"]["what"] for entry in found["file.expired"]} == {"item", "original"}
    refused = {reason["rule"] for entry in found["file.refused"] for reason in entry["facts"]["reasons"]}
    assert len(refused) >= 2


def test_each_entry_names_its_item_s_previous_one(lived: Room) -> None:
    last: dict[str, int] = {}
    for entry in entries(lived):
        item = entry.get("item")
        if item is not None:
            assert entry.get("prev", {}).get("i") == last.get(item)
            last[item] = entry["i"]
    assert len(last) >= 6


def test_no_leaf_holds_anything_personal(lived: Room) -> None:
    for entry in entries(lived):
        text = json.dumps(entry, ensure_ascii=False).casefold()
        for words in PERSONAL:
            assert words.casefold() not in text, entry
    published = b"".join(path.read_bytes() for path in lived.workspace.log.rglob("*") if path.is_file()).lower()
    assert not any(words.lower().encode() in published for words in PERSONAL)
