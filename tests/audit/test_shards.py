"""A log that goes on from shard to shard: what is carried, the links both ways, what an auditor sees of tampering."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import approve
from tests.cli.rooms import Room, call
from transfer.approvals.trail import Trail, check_trail
from transfer.audit.entries import decode_leaf
from transfer.audit.keys import load_key
from transfer.audit.notes import parse_vkey
from transfer.audit.reader_folder import FolderReader
from transfer.audit.receipts import open_receipt, parse_receipt
from transfer.audit.shards import archived, family_of, is_over, label_of, next_origin, place_of
from transfer.auditing import Audit, audit_folder, audit_site
from transfer.errors import Misuse, Tampered, TransferError, Unavailable
from transfer.key_change import NEXT_KEY
from transfer.model.events import Event, EventName
from transfer.model.states import State
from transfer.rotation import rotate
from transfer.store import journal
from transfer.store.shards import archives
from transfer.wiring import LOG_KEY

ORIGIN = "h.example/audit/2099"  # far enough away that no new year turns up
SECOND, THIRD = f"{ORIGIN}.2", f"{ORIGIN}.3"
NAMES = ("released", "approved", "held", "asked")


def turn(room: Room) -> None:
    with room.site() as site:
        rotate(site, by=None, reason="a test")


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Three shards. One caption is released and one approved in the first; one more of each in the second."""
    room = Room(tmp_path_factory.mktemp("turned") / "w")
    assert call("init", room.root, "--demo", "--origin", ORIGIN).code == 0
    for name in NAMES:
        (room.root / "staging" / "open-day" / f"{name}.txt").write_text(f"Come and see us: {name}.\n")
    room.gateway()
    approve(room, "released")
    room.gateway()
    approve(room, "approved")
    turn(room)
    approve(room, "held")
    room.gateway()
    turn(room)
    room.gateway()
    return room


@pytest.fixture
def copy(turned: Room, tmp_path: Path) -> Room:
    return turned.copy(tmp_path / "w")


def vkey_of(room: Room, number: int) -> Any:
    """The key of the first, second or third shard."""
    folders = [*(one.folder for one in archived(room.workspace.log)), room.workspace.log]
    return parse_vkey((folders[number] / "log.vkey").read_text().strip())


def verify(room: Room, number: int = 2) -> Audit:
    """As an auditor who has the folder and one key."""
    return audit_folder(room.workspace.log, [vkey_of(room, number)])


def leaves(folder: Path) -> list[dict[str, Any]]:
    reader = FolderReader(folder)
    size = int((reader.checkpoint() or b"").split(b"\n")[1])
    return [decode_leaf(leaf) for n in range(-(-size // 256)) for leaf in reader.entries(n, min(256, size - n * 256))]


def test_names() -> None:
    assert next_origin("h/audit/2026", 2027) == "h/audit/2027"
    assert next_origin("h/audit/2026", 2026) == "h/audit/2026.2"
    assert next_origin("h/audit/2026.9", 2026) == "h/audit/2026.10"
    assert next_origin("h/audit/2026.9", 2020) == "h/audit/2026.10"  # a clock that went back
    assert next_origin("h/audit", 2026) == "h/audit/2026"
    assert [label_of(name) for name in ("h/audit", "h/2026", "h/2026.2", "2026")] == ["first", "2026", "2026.2", "2026"]
    assert sorted(["2027", "2026.10", "first", "2026.9", "2026"], key=place_of) == [
        "first", "2026", "2026.9", "2026.10", "2027",
    ]  # fmt: skip
    assert family_of("h/audit/2026.2") == family_of("h/audit") == "h/audit"
    assert is_over("h/2025.3", 2026)
    assert not is_over("h/2026", 2026)
    assert not is_over("h/audit", 2026)
    for strange in ("2026.0", "26", "2026.2x", "..", ""):
        with pytest.raises(Tampered):
            place_of(strange)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_every_key_leads_to_every_shard(turned: Room, number: int) -> None:
    audit = verify(turned, number)
    assert [one.report.origin for one in audit.sealed] == [ORIGIN, SECOND]
    assert audit.folder.origin == THIRD
    assert audit.covered.releases == 3
    assert audit.covered.statements == 5  # enrolment, campaign, three approvals: carried ones count once


def test_the_workspace_verifies_with_its_archived_rows(turned: Room) -> None:
    with turned.site() as site:
        audit = audit_site(site, [load_key(turned.workspace.keys / LOG_KEY).verifier])
    assert audit.database is not None
    assert audit.covered.releases == 3
    assert [one.label for one in audit.sealed] == ["2099", "2099.2"]
    assert list(archives(turned.workspace.database)) == ["2099", "2099.2"]


def test_each_sealed_shard_verifies_by_itself(turned: Room, tmp_path: Path) -> None:
    for number, label in enumerate(("2099", "2099.2")):
        alone = shutil.copytree(turned.workspace.log / "archive" / label, tmp_path / label)
        audit = audit_folder(alone, [vkey_of(turned, number)])
        assert audit.sealed == ()
        assert audit.covered.releases == (1, 2)[number]


def test_the_links(turned: Room) -> None:
    log = turned.workspace.log
    first, second = leaves(log / "archive" / "2099"), leaves(log / "archive" / "2099.2")
    sealed, opened = first[-1], second[0]
    assert (sealed["event"], opened["event"]) == ("shard.sealed", "shard.opened")
    assert sealed["facts"]["next"] == {"origin": SECOND, "vkey": vkey_of(turned, 1).vkey}
    previous = opened["facts"]["previous"]
    assert previous["checkpoint"] == (log / "archive" / "2099" / "checkpoint").read_text()
    assert (previous["origin"], previous["size"]) == (ORIGIN, len(first))
    assert previous["vkey"] == vkey_of(turned, 0).vkey
    assert opened["at"] >= sealed["at"]
    proof = parse_receipt((log / "archive" / "2099" / "sealed.tlog-proof").read_bytes())
    entry, _ = open_receipt(proof, [vkey_of(turned, 0)])
    assert decode_leaf(entry) == sealed


def test_open_items_and_who_may_decide_are_carried(turned: Room) -> None:
    second = leaves(turned.workspace.log / "archive" / "2099.2")
    count, statements = second[0]["facts"]["carried"], second[0]["facts"]["statements"]
    carried = second[1 : count + 1]
    assert [leaf["facts"]["kind"] for leaf in carried[:statements]] == ["enrolment", "campaign"]
    states = sorted(leaf["facts"]["state"] for leaf in carried if leaf["event"] == "file.carried")
    assert states == ["approved", "held", "held", "released"]
    assert "prev" not in next(leaf for leaf in carried if leaf["event"] == "file.carried")
    assert check_trail(enumerate(second)) == []
    later = [leaf for leaf in second[count + 1 :] if leaf["event"] == "file.released"]
    assert all("prev" in leaf for leaf in later)


def test_the_old_key_is_gone_and_the_new_one_is_private(turned: Room) -> None:
    assert sorted(path.name for path in turned.workspace.keys.iterdir()) == [
        "first-approver.vkey",
        "log.key",
        "log.vkey",
    ]
    assert (turned.workspace.keys / LOG_KEY).stat().st_mode & 0o777 == 0o600
    assert load_key(turned.workspace.keys / LOG_KEY).name == THIRD


def test_receipts_of_a_sealed_shard_verify_with_its_key(turned: Room) -> None:
    for receipt in turned.workspace.receipts.rglob("*.tlog-proof"):
        verified = [
            number
            for number in range(3)
            if call("audit", "verify", receipt, "--vkey", vkey_of(turned, number).vkey).code == 0
        ]
        assert len(verified) == 1
    assert len(list(turned.workspace.receipts.rglob("*.tlog-proof"))) == 3


def test_an_older_checkpoint_finds_its_shard(turned: Room, tmp_path: Path) -> None:
    kept = turned.workspace.log / "archive" / "2099" / "checkpoint"
    audit = audit_folder(turned.workspace.log, [vkey_of(turned, 0)], older=kept.read_bytes())
    assert audit.sealed[0].report.pinned == audit.sealed[0].report.size
    assert audit.folder.pinned is None


def test_withdrawing_what_an_older_shard_released(copy: Room) -> None:
    item = copy.items()["released.txt"].item
    copy.must("withdraw", item, "--as", "helen", "--key", copy.key, "--reason", "a test")
    copy.gateway()
    assert copy.state("released.txt") is State.WITHDRAWN
    assert verify(copy, 0).covered.releases == 3
    with copy.site() as site, site.db.read() as tx:
        assert "prev" in decode_leaf(journal.leaves(tx, journal.find(tx, item=item, limit=1)[0].index, 10_000)[0])


def test_nothing_is_appended_to_a_sealed_shard(copy: Room) -> None:
    with copy.site() as site:
        with site.db.write() as tx:
            site.log.append(tx, Event(name=EventName.SHARD_SEALED, facts={"next": {}}))
        with pytest.raises(Unavailable, match="next shard"), site.db.write() as tx:
            site.log.append(tx, Event(name=EventName.GATEWAY_PAUSED))


def test_a_sealed_log_without_the_announced_key_says_so(copy: Room) -> None:
    with copy.site() as site:
        with site.db.write() as tx:
            facts = {"next": {"origin": "x", "vkey": "x+1+2"}}
            site.log.append(tx, Event(name=EventName.SHARD_SEALED, facts=facts))
        with pytest.raises(Misuse, match="and it is not here"):
            rotate(site, by=None, reason="")


def test_a_year_that_is_over_gets_its_shard_at_the_start(tmp_path: Path) -> None:
    room = Room(tmp_path / "w")
    assert call("init", room.root, "--demo", "--origin", "h.example/audit/2025").code == 0
    room.gateway()
    room.gateway()
    assert [one.folder.name for one in archived(room.workspace.log)] == ["2025"]
    assert room.must("audit", "verify", "--json").json["sealed"][0]["origin"] == "h.example/audit/2025"
    assert room.must("doctor", "--json").json["ok"]


def test_the_command(copy: Room) -> None:
    assert copy.call("audit", "rotate").code == 2
    assert copy.call("audit", "rotate", "--as", "sam").code == 1
    told = copy.must("audit", "rotate", "--as", "helen", "--reason", "the machine was serviced", "--json").json
    assert told["origin"] == "h.example/audit/2099.4"
    assert told["sealed"] == "2099.3"
    last = leaves(copy.workspace.log / "archive" / "2099.3")[-1]
    assert last["by"].startswith("u_")
    assert "the machine was serviced" not in json.dumps(last)
    assert verify(copy, 0).folder.origin == told["origin"]


# What an auditor sees of tampering: each takes the workspace and does something, and the sentence has these words.

Attack = Callable[[Room], None]


def _archive(room: Room, label: str = "2099.2") -> Path:
    return room.workspace.log / "archive" / label


def _missing(room: Room) -> None:
    shutil.rmtree(_archive(room))


def _oldest_missing(room: Room) -> None:
    shutil.rmtree(_archive(room, "2099"))


def _all_missing(room: Room) -> None:
    shutil.rmtree(room.workspace.log / "archive")


def _running_missing(room: Room) -> None:
    for name in ("checkpoint", "log.vkey"):
        (room.workspace.log / name).unlink()
    shutil.rmtree(room.workspace.log / "tile")


def _cut(room: Room) -> None:
    """An earlier, genuine state of the sealed shard, before it was sealed."""
    other = room.copy(room.root.parent / "other")
    shutil.rmtree(_archive(room))
    running = other.workspace.log
    shutil.rmtree(running / "archive")
    shutil.copytree(running, _archive(room))


def _foreign(room: Room) -> None:
    stranger = Room(room.root.parent / "stranger")
    assert call("init", stranger.root, "--demo", "--origin", ORIGIN).code == 0
    turn(stranger)
    shutil.rmtree(_archive(room, "2099"))
    shutil.copytree(_archive(stranger, "2099"), _archive(room, "2099"))


def _swapped(room: Room) -> None:
    one, other = _archive(room, "2099"), _archive(room)
    one.rename(one.with_name("2098"))
    other.rename(one)
    one.with_name("2098").rename(other)


def _flipped(room: Room) -> None:
    [bundle] = [path for path in (_archive(room) / "tile" / "entries").rglob("*") if path.is_file()]
    content = bundle.read_bytes()
    bundle.unlink()  # it has a second name nowhere, but a copied one might
    bundle.write_bytes(content.replace(b'"held"', b'"HELD"', 1))


def _without_entries(room: Room) -> None:
    shutil.rmtree(_archive(room, "2099") / "tile" / "entries")


def _something_else(room: Room) -> None:
    (room.workspace.log / "archive" / "notes").mkdir()


def _file_in_archive(room: Room) -> None:
    (_archive(room) / "extra.txt").write_text("x")


def _proof_damaged(room: Room) -> None:
    proof = _archive(room) / "opened.tlog-proof"
    content = proof.read_bytes()
    proof.unlink()
    proof.write_bytes(content.replace(b"index 0", b"index 1"))


def _nested(room: Room) -> None:
    (_archive(room) / "archive" / "2098").mkdir(parents=True)


FOLDER = {
    "missing": (_missing, "announced|follows"),
    "oldest missing": (_oldest_missing, "The log before it is missing|None of the known keys"),
    "all missing": (_all_missing, "The log before it is missing|None of the known keys"),
    "running one missing": (_running_missing, "announced|None of the known keys"),
    "cut": (_cut, "announced|sealed|follows"),
    "foreign": (_foreign, "is not so any more|has another key|announced|not what the log's key signed|verify"),
    "swapped": (_swapped, "announced|follows|lies before"),
    "flipped": (_flipped, "is not what was signed"),
    "without entries": (_without_entries, "no entry says that they were pruned"),
    "something else": (_something_else, "has no place in a log"),
    "file in the archive": (_file_in_archive, "has no place in a log"),
    "proof damaged": (_proof_damaged, "proof|receipt|signature|entry"),
    "nested archive": (_nested, "has no place in a log"),
}


@pytest.mark.parametrize("name", FOLDER)
@pytest.mark.parametrize("number", [0, 2])
def test_a_tampered_archive_is_found(copy: Room, name: str, number: int) -> None:
    attack, words = FOLDER[name]
    key = vkey_of(copy, number)
    attack(copy)
    with pytest.raises(Tampered, match=words):
        audit_folder(copy.workspace.log, [key])


def test_a_folder_that_shows_the_sealed_shard_again_is_found_by_the_workspace(copy: Room) -> None:
    shutil.copy(_archive(copy) / "checkpoint", copy.workspace.log / "checkpoint")
    answer = copy.call("audit", "verify")
    assert answer.code == 4
    assert "rolled back" in answer.err


@pytest.mark.parametrize("table", ["audit_entry", "audit_disclosure"])
def test_tampered_archived_rows_are_found(copy: Room, table: str) -> None:
    path = archives(copy.workspace.database)["2099"]
    with sqlite3.connect(path) as db:
        db.execute("DROP TRIGGER audit_entry_no_update")
        db.execute(
            "UPDATE audit_entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'file', 'FILE') AS BLOB) WHERE i = 12"
            if table == "audit_entry"
            else "UPDATE audit_disclosure SET disclosure = 'WyJhIiwiYiIsImMiXQ' WHERE i = (SELECT max(i) FROM audit_disclosure)"  # noqa: E501
        )
    db.close()
    answer = copy.call("audit", "verify")
    assert answer.code == 4, answer


def test_missing_and_surplus_archived_rows_are_found(copy: Room) -> None:
    path = archives(copy.workspace.database)["2099"]
    path.rename(path.with_name("log-2098.db"))
    assert "log-2099.db" in copy.call("audit", "verify").err
    shutil.copy(path.with_name("log-2098.db"), path)
    answer = copy.call("audit", "verify")
    assert answer.code == 4
    assert "log-2098.db" in answer.err


# What is carried must be what the older shard said.


def _second(room: Room) -> list[dict[str, Any]]:
    return leaves(_archive(room))


def _problems(turned: Room, change: Callable[[list[dict[str, Any]]], None], *, whole: bool = True) -> list[str]:
    second = _second(turned)
    change(second)
    trail = Trail(root=None)
    for index, leaf in enumerate(leaves(_archive(turned, "2099"))) if whole else ():
        trail.feed(index, leaf)
    for index, leaf in enumerate(second):
        trail.feed(index, leaf)
    return trail.problems


def _carried(second: list[dict[str, Any]], event: str, *, nth: int = 0) -> dict[str, Any]:
    return [leaf for leaf in second if leaf["event"] == event][nth]


CARRIED: dict[str, Callable[[list[dict[str, Any]]], None]] = {
    "another submitter": lambda s: _carried(s, "file.carried").update(by="u_" + "0" * 32),
    "another campaign": lambda s: _carried(s, "file.carried")["facts"].update(campaign="other"),
    "released, and was not": lambda s: _carried(s, "file.carried", nth=1)["facts"].update(released="0" * 64),
    "going out, and was not": lambda s: _carried(s, "file.carried")["facts"].update(releasing=["0" * 64]),
    "an item nobody dropped": lambda s: _carried(s, "file.carried").update(item="i-00000000"),
    "another statement": lambda s: _carried(s, "statement.carried")["facts"].update(statement="x"),
    "a statement twice": lambda s: s[1].update(s[2]),
    "fewer statements": lambda s: s[0]["facts"].update(statements=1),
    "more than there are": lambda s: s[0]["facts"].update(carried=40),
    "an approval valid longer": lambda s: _carried(s, "statement.carried", nth=-1)["facts"].update(
        valid_until="2199-01-01T00:00:00.000Z"
    ),
    "in the middle": lambda s: s.append({**s[1], "i": len(s)}),
    "opened in the middle": lambda s: s.append({**s[0], "i": len(s)}),
}


def test_nothing_is_wrong_with_what_was_carried(turned: Room) -> None:
    assert _problems(turned, lambda _: None) == []
    assert _problems(turned, lambda _: None, whole=False) == []


@pytest.mark.parametrize("name", CARRIED)
def test_what_is_carried_must_agree(turned: Room, name: str) -> None:
    assert _problems(turned, CARRIED[name]) != []


def test_a_next_key_left_by_a_crash_is_used_or_replaced(copy: Room) -> None:
    from transfer.audit.keys import create_key

    create_key(copy.workspace.keys / NEXT_KEY, name="h.example/audit/1999", entropy=bytes)
    turn(copy)
    assert verify(copy).folder.origin == f"{ORIGIN}.4"
    assert not (copy.workspace.keys / NEXT_KEY).exists()


def test_a_backup_has_the_sealed_shards_and_one_from_before_says_so(copy: Room, tmp_path: Path) -> None:
    copy.must("backup", tmp_path / "backup")
    turn(copy)
    assert call("restore", tmp_path / "backup", "--to", tmp_path / "again").code == 0
    again = Room(tmp_path / "again")
    refused = again.call("audit", "adopt", "--log", copy.workspace.log)
    assert refused.code == 1
    assert "was sealed after the backup was made" in refused.err
    again.must("audit", "adopt")
    assert len(verify(again).sealed) == 2
    again.must("audit", "verify")


def test_every_sentence_has_words(copy: Room) -> None:
    with pytest.raises(TransferError) as raised:
        audit_folder(copy.workspace.log, [])
    assert raised.value.sentence
