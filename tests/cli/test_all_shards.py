"""What looks into a log looks into all of its shards: show, prove and export, from a workspace and from a copy."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.audit.packs import judge
from tests.cli.conftest import approve
from tests.cli.rooms import Answer, Room, call
from tests.cli.test_export import as_the_readme_says, contents
from tests.cli.test_formats import fits
from transfer.audit import pack
from transfer.audit.pack_readme import BEGIN, END
from transfer.audit.receipt_files import ReceiptFiles, prepare_folder
from transfer.audit.shards import archived, verifiers_of
from transfer.log_key import own_verifier
from transfer.rotation import rotate
from transfer.store.receipt_cursor import sealed_receipts_due
from transfer.store.shards import archives

ORIGIN = "h.example/audit/2099"  # far enough away that no new year turns up
LABELS = ["2099", "2099.2", "2099.3"]


def turn(room: Room) -> None:
    with room.site() as site:
        rotate(site, by=None, reason="a test")


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """Three shards. Before the first turn one caption is released and withdrawn, one released, one approved, two held;
    of those one is approved and released in the second shard, and one refused in the third.
    """
    room = Room(tmp_path_factory.mktemp("turned") / "w")
    assert call("init", room.root, "--demo", "--origin", ORIGIN).code == 0
    for name in ("gone", "released", "approved", "held", "asked"):
        (room.root / "staging" / "open-day" / f"{name}.txt").write_text(f"Come and see us: {name}.\n")
    room.gateway()
    for name in ("gone", "released"):
        approve(room, name)
    room.gateway()
    words = ["--as", "helen", "--key", room.key, "--reason", "a test"]
    room.must("withdraw", room.items()["gone.txt"].item, *words)
    room.gateway()
    approve(room, "approved")
    turn(room)
    approve(room, "held")
    room.gateway()
    turn(room)
    room.must("refuse", room.items()["asked.txt"].item, *words)
    room.gateway()
    return room


@pytest.fixture
def copy(turned: Room, tmp_path: Path) -> Room:
    return turned.copy(tmp_path / "w")


def vkey_of(room: Room, label: str) -> Path:
    folders = {one.folder.name: one.folder for one in archived(room.workspace.log)}
    return folders.get(label, room.workspace.log) / "log.vkey"


def shown(answer: Answer) -> list[dict[str, Any]]:
    fits("audit-show", answer.json)
    found: list[dict[str, Any]] = answer.json["entries"]
    return found


def places(entries: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(entry["shard"], entry["i"]) for entry in entries]


# show


def look(room: Room, where: str, *words: str) -> Answer:
    """`audit show`, in the workspace or in its folder log/ as an auditor has it."""
    if where == "workspace":
        return room.must("audit", "show", *words)
    answer = call("audit", "show", room.workspace.log, *words)
    assert answer.code == 0, answer
    return answer


@pytest.mark.parametrize("where", ["workspace", "folder"])
def test_everything_is_shown_in_the_order_of_time(turned: Room, where: str) -> None:
    every = shown(look(turned, where, "--limit", "1000", "--json", "--oldest-first"))
    assert list(dict.fromkeys(entry["shard"] for entry in every)) == LABELS
    assert [entry["at"] for entry in every] == sorted(entry["at"] for entry in every)
    for label in LABELS:
        inside = [entry["i"] for entry in every if entry["shard"] == label]
        assert inside == list(range(len(inside)))
        limited = shown(look(turned, where, "--limit", "1000", "--json", "--oldest-first", "--shard", label))
        assert limited == [entry for entry in every if entry["shard"] == label]
    newest = shown(look(turned, where, "--limit", "1000", "--json"))
    assert places(newest) == places(every)[::-1]
    across = shown(look(turned, where, "--limit", str(len(every) - 3), "--json"))
    assert places(across) == places(newest)[:-3]
    assert look(turned, where, "--limit", "3", "--json").json["more"] is True
    assert look(turned, where, "--limit", str(len(every)), "--json").json["more"] is False


@pytest.mark.parametrize("where", ["workspace", "folder"])
def test_one_life_crosses_the_shards(turned: Room, where: str) -> None:
    item = turned.items()["approved.txt"].item
    events = [(e["shard"], e["event"]) for e in shown(look(turned, where, "--item", item, "--json"))][::-1]
    assert events[0] == ("2099", "file.spooled")
    assert ("2099", "statement.accepted") in events
    assert [event for label, event in events if label == "2099.2"][:2] == ["file.carried", "statement.carried"]
    assert ("2099.2", "file.released") in events
    assert events[-1] == ("2099.3", "file.carried")
    said = look(turned, where, "--item", item).out
    order = [said.index(words) for words in ("shard 2099 of", "shard 2099.2 of", "shard 2099.3 of")]
    assert order == sorted(order)
    assert said.count("Carried over") >= 2


def test_a_files_hash_finds_what_came_after_it_in_later_shards(turned: Room) -> None:
    """It came before the first turn, and the second shard only knows what was made of it."""
    row = turned.items()["held.txt"]
    assert row.sha256 is not None
    of_item = set(places(shown(look(turned, "workspace", "--item", row.item, "--json"))))
    for where in ("workspace", "folder"):
        found = shown(look(turned, where, "--sha256", row.sha256[:12], "--json"))
        assert of_item <= set(places(found))
        assert {entry["shard"] for entry in found} == set(LABELS)


@pytest.mark.parametrize(
    "words",
    [
        ("--event", "file.released"), ("--campaign", "open-day"), ("--person", "u_"), ("--clause", "G1"),
        ("--since", "2020-01-01"), ("--until", "2020-01-01"),
    ],
    ids=lambda words: words[0],
)  # fmt: skip
def test_workspace_and_folder_find_the_same(turned: Room, words: tuple[str, str]) -> None:
    option, value = words
    if option == "--person":
        value = next(e["by"] for e in shown(look(turned, "folder", "--event", "file.spooled", "--json")))
    both = [places(shown(look(turned, w, option, value, "--limit", "900", "--json"))) for w in ("workspace", "folder")]
    assert both[0] == both[1]


def test_tables_and_csv_say_the_shard(turned: Room) -> None:
    said = look(turned, "workspace", "--event", "file.released").out.splitlines()
    assert said[0].split()[:2] == ["shard", "entry"]
    assert [line.split()[0] for line in said if line.startswith("2099") and line[4] != "-"] == [
        "2099.2", "2099.2", "2099", "2099",
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(look(turned, "folder", "--event", "file.released", "--csv").out)))
    assert [row["shard"] for row in rows] == ["2099.2", "2099.2", "2099", "2099"]
    lone = call("audit", "show", turned.workspace.log / "archive" / "2099", "--event", "file.released")
    assert lone.code == 0
    assert lone.out.split()[0] == "entry"


def test_a_shard_that_is_not_there_is_no(turned: Room) -> None:
    for words in (("show",), ("prove", "--entry", "1"), ("export", "--all", "--jsonl")):
        answer = turned.call("audit", *words, "--shard", "2031")
        assert (answer.code, "2099.2" in answer.err) == (1, True), answer
    assert call("audit", "show", turned.workspace.log, "--shard", "2031").code == 1


def test_the_whole_life_of_an_item_that_ended_before(turned: Room) -> None:
    """It was not carried over: all of its life is in the first shard."""
    item = turned.items()["gone.txt"].item
    told = turned.must("show", item, "--json").json
    fits("show", told)
    assert {entry["shard"] for entry in told["entries"]} == {"2099"}
    assert told["entries"][-1]["event"] == "file.withdrawn"
    across = turned.must("show", turned.items()["asked.txt"].item, "--json").json["entries"]
    assert list(dict.fromkeys(entry["shard"] for entry in across)) == LABELS
    assert "shard 2099.2 of" in turned.must("show", turned.items()["asked.txt"].item).out


# prove


@pytest.mark.parametrize("where", ["workspace", "folder"])
@pytest.mark.parametrize(
    ("name", "label", "event"),
    [
        ("gone", "2099", "file.released"), ("released", "2099", "file.released"), ("held", "2099.2", "file.released"),
        ("asked", "2099.3", "file.refused"),
    ],
)  # fmt: skip
def test_a_receipt_is_of_the_shard_in_which_it_lies(
    turned: Room, tmp_path: Path, where: str, name: str, label: str, event: str
) -> None:
    row = turned.items()[f"{name}.txt"]
    out = tmp_path / "one.tlog-proof"
    words = ["audit", "prove", row.item, "--out", out]
    answer = turned.must(*words) if where == "workspace" else call(*words, "--log", turned.workspace.log)
    assert answer.code == 0, answer
    key = vkey_of(turned, label)
    assert key.read_text().strip() in answer.out
    assert f"of the shard {label}" in answer.out
    verified = call("audit", "verify", out, "--vkey", key, "--json")
    assert verified.json["entry"]["event"] == event
    assert verified.json["origin"].endswith(label)
    assert out.read_text().endswith((key.parent / "checkpoint").read_text())
    other = vkey_of(turned, "2099.3" if label != "2099.3" else "2099")
    assert call("audit", "verify", out, "--vkey", other).code == 4


@pytest.mark.parametrize("where", ["workspace", "folder"])
def test_a_files_hash_is_proven_wherever_it_lies(turned: Room, tmp_path: Path, where: str) -> None:
    place = ["-w", turned.root] if where == "workspace" else ["--log", turned.workspace.log]
    for name in ("gone", "approved", "held"):
        digest = turned.items()[f"{name}.txt"].rebuilt_sha256
        answer = call("audit", "prove", "--sha256", str(digest), *place)
        assert answer.code == 0, answer
        (tmp_path / name).write_text(answer.out)
        found = [call("audit", "verify", tmp_path / name, "--vkey", vkey_of(turned, label)).code for label in LABELS]
        assert sorted(found) == [0, 4, 4]


@pytest.mark.parametrize("where", ["workspace", "folder"])
def test_every_entry_of_every_shard_can_be_proven(turned: Room, tmp_path: Path, where: str) -> None:
    place = ["-w", turned.root] if where == "workspace" else ["--log", turned.workspace.log]
    for entry in shown(look(turned, "folder", "--limit", "1000", "--json"))[::7]:
        words = ["audit", "prove", "--entry", str(entry["i"]), "--shard", entry["shard"], *place]
        receipt = tmp_path / f"{entry['shard']}-{entry['i']}"
        receipt.write_text(call(*words).out)
        verified = call("audit", "verify", receipt, "--vkey", vkey_of(turned, entry["shard"]), "--json")
        assert verified.json["entry"]["event"] == entry["event"]
    newest = call("audit", "prove", "--entry", "0", *place)  # without a shard it is the running one's
    assert "2099.3" in newest.err


def test_a_receipt_that_would_not_verify_is_not_handed_out(copy: Room) -> None:
    """Of a sealed shard, whose key somebody exchanged."""
    key = copy.workspace.log / "archive" / "2099" / "log.vkey"
    other = vkey_of(copy, "2099.3").read_text()
    key.unlink()
    key.write_text(other)
    item = copy.items()["gone.txt"].item
    answer = copy.call("audit", "prove", item)
    assert (answer.code, answer.out) == (4, "")
    assert call("audit", "prove", item, "--log", copy.workspace.log).code == 4


# export


@pytest.mark.parametrize("label", ["", *LABELS])
def test_a_stranger_checks_a_pack_of_any_shard(copy: Room, tmp_path: Path, label: str) -> None:
    out, words = tmp_path / "pack.zip", ["--shard", label] if label else []
    item = copy.items()["approved.txt"].item
    done = copy.must("audit", "export", "--item", item, "--disclose", "all", *words, "--out", out, "--json").json
    fits("audit-export", done)
    assert done["shard"] == (label or "2099.3")
    key = vkey_of(copy, label or "2099.3")
    first = (copy.workspace.keys / "first-approver.vkey").read_text().strip()
    verdict = judge(out, key.read_text().strip(), first)
    assert (verdict.ours, verdict.theirs) == (0, 0), verdict
    stranger = Room(copy.root)
    stranger.vkey = key
    answer = as_the_readme_says(out, stranger, tmp_path / "desk")
    readme = contents(out)[pack.README].decode()
    assert (answer.code, answer.err) == (0, ""), answer
    assert readme.partition(f"{BEGIN}\n")[2].partition(f"{END}\n")[0] == answer.out
    assert ("shard before" in answer.out) is (label != "2099")
    assert ("The one\nbefore it was" in readme) is (label != "2099")
    verified = call("audit", "verify", out, "--vkey", key, "--json").json
    fits("audit-pack", verified)
    before = {"2099": None, "2099.2": ORIGIN, "2099.3": f"{ORIGIN}.2", "": f"{ORIGIN}.2"}[label]
    assert (verified["pack"]["previous"] or {}).get("origin") == before
    said = call("audit", "verify", out, "--vkey", key).out
    assert ("shard before" in said) is (before is not None)
    made = shown(look(copy, "workspace", "--event", "export.made", "--json"))
    assert [(entry["shard"], entry["i"]) for entry in made] == [("2099.3", done["entry"])]
    assert made[0]["facts"].get("shard") == (label if label in LABELS[:2] else None)
    copy.must("audit", "verify")


def test_releases_of_each_shard_are_in_its_packs(turned: Room, copy: Room, tmp_path: Path) -> None:
    for label, releases in (("2099", 2), ("2099.2", 2), ("2099.3", 0)):
        copy.must("audit", "export", "--all", "--shard", label, "--out", tmp_path / f"{label}.zip")
        verified = call("audit", "verify", tmp_path / f"{label}.zip", "--vkey", vkey_of(copy, label), "--json").json
        assert verified["pack"]["releases"] == releases
        lines = copy.must("audit", "export", "--all", "--jsonl", "--shard", label).out.splitlines()
        archive = shown(look(turned, "workspace", "--shard", label, "--limit", "1000", "--json", "--oldest-first"))
        assert [json.loads(line)["i"] for line in lines][: len(archive)] == [entry["i"] for entry in archive]


def test_what_only_a_sealed_shard_has_is_not_found_and_the_answer_says_where_to_look(
    copy: Room, tmp_path: Path
) -> None:
    item = copy.items()["gone.txt"].item
    answer = copy.call("audit", "export", "--item", item, "--out", tmp_path / "x.zip")
    assert (answer.code, "--shard" in answer.err, "2099.2" in answer.err) == (1, True, True)
    said = copy.must("audit", "export", "--item", item, "--shard", "2099", "--out", tmp_path / "x.zip").out
    assert "of the shard 2099's" in said


def test_what_was_pruned_is_said(copy: Room, tmp_path: Path) -> None:
    shutil.rmtree(copy.workspace.log / "archive" / "2099" / "tile" / "entries")
    archives(copy.workspace.database)["2099"].unlink()
    answer = copy.must("audit", "show", "--limit", "1000", "--json")
    assert {entry["shard"] for entry in shown(answer)} == {"2099.2", "2099.3"}
    assert "2099 were pruned" in answer.err
    assert "2099 were pruned" in call("audit", "show", copy.workspace.log).err
    for words in (("show",), ("prove", "--entry", "3"), ("export", "--all", "--out", tmp_path / "x.zip")):
        answer = copy.call("audit", *words, "--shard", "2099")
        assert (answer.code, "pruned" in answer.err) == (1, True), answer
    answer = copy.call("audit", "prove", copy.items()["gone.txt"].item)
    assert (answer.code, "pruned" in answer.err) == (1, True), answer
    assert copy.must("show", copy.items()["asked.txt"].item, "--json").json["entries"][0]["event"] == "file.carried"


# receipts


def receipts_of(room: Room) -> dict[str, bytes]:
    folder = room.workspace.receipts
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("what", ["removed", "emptied"])
def test_lost_receipts_of_all_shards_are_made_again_byte_for_byte(copy: Room, what: str) -> None:
    before = receipts_of(copy)
    assert len(before) == 6  # four releases, a withdrawal, a refusal
    shutil.rmtree(copy.workspace.receipts)
    if what == "emptied":
        copy.workspace.receipts.mkdir()
    copy.gateway()
    assert receipts_of(copy) == before
    with copy.site() as site, site.db.read() as tx:
        assert not sealed_receipts_due(tx)


def test_receipts_of_a_pruned_shard_are_not_made_again(copy: Room) -> None:
    before = receipts_of(copy)
    shutil.rmtree(copy.workspace.receipts)
    archives(copy.workspace.database)["2099"].unlink()
    with copy.site() as site:
        prepare_folder(copy.workspace.receipts, site.db)
        own = own_verifier(site)
        verifiers = verifiers_of(copy.workspace.log, own)
        files = ReceiptFiles(db=site.db, folder=copy.workspace.receipts, verifiers=verifiers)
        while files.round():
            pass
    after = receipts_of(copy)
    assert len(after) == 3
    assert after.items() <= before.items()


def test_receipts_of_sealed_shards_survive_a_crash_between_any_two_rounds(copy: Room) -> None:
    before = receipts_of(copy)
    shutil.rmtree(copy.workspace.receipts)
    with copy.site() as site:
        prepare_folder(copy.workspace.receipts, site.db)
        verifiers = verifiers_of(copy.workspace.log, own_verifier(site))
        for rounds in (1, 2, 3, 4, 9):
            files = ReceiptFiles(db=site.db, folder=copy.workspace.receipts, verifiers=verifiers)
            for _ in range(rounds):
                files.round()
    assert receipts_of(copy) == before
