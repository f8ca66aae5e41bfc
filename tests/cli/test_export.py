"""`transfer audit export`: packs that a stranger checks, lines that are the leaves, and what the log says of them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.audit.packs import VERIFIER, judge
from tests.cli.rooms import Answer, Room, call
from tests.cli.test_formats import fits
from tests.system.place import Place, running, wait_for
from transfer.audit import pack
from transfer.audit.pack_readme import BEGIN, END
from transfer.audit.pack_zip import parse_zip
from transfer.audit.reader_folder import FolderReader
from transfer.errors import Tampered
from transfer.exporting import export_pack
from transfer.store import adoption, journal
from transfer.store.database import Database


def export(room: Room, out: Path, *words: str | Path) -> dict[str, Any]:
    done: dict[str, Any] = room.must("audit", "export", *words, "--out", out, "--json").json
    fits("audit-export", done)
    return done


def keys(room: Room) -> tuple[str, str]:
    return tuple(path.read_text().strip() for path in (room.vkey, room.workspace.keys / "first-approver.vkey"))  # type: ignore[return-value]


def contents(path: Path) -> dict[str, bytes]:
    return parse_zip(path.read_bytes(), check_name=pack.check_name)


def events(files: dict[str, bytes]) -> list[str]:
    return [json.loads(line)["event"] for line in files[pack.ENTRIES].splitlines()]


def as_the_readme_says(path: Path, room: Room, folder: Path) -> Answer:
    """Unpacks the pack with another program and runs what lies in it, with nothing but Python, in an empty folder."""
    folder.mkdir()
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder / "pack")
    shutil.copy(room.vkey, folder / "log.vkey")
    shutil.copy(room.workspace.keys / "first-approver.vkey", folder)
    readme = (folder / "pack" / "README.txt").read_text()
    command = next(line for line in readme.splitlines() if line.strip().startswith("python3 ")).split()
    done = subprocess.run(
        [sys.executable, "-I", "-S", *command[1:]], cwd=folder, env={}, capture_output=True, text=True, check=False
    )
    return Answer(done.returncode, done.stdout, done.stderr)


SELECTIONS: dict[str, tuple[str, ...]] = {
    "item": ("--item", "ITEM"),
    "campaign": ("--campaign", "open-day"),
    "since": ("--since", "2026-01-01"),
    "period": ("--since", "2026-01-01", "--until", "2999-12-31T00:00:00Z"),
    "all": ("--all",),
}


@pytest.mark.parametrize("words", SELECTIONS.values(), ids=SELECTIONS.keys())
@pytest.mark.parametrize("disclose", ["none", "all"])
def test_a_stranger_checks_a_pack_and_sees_what_its_readme_says(
    room: Room, tmp_path: Path, words: tuple[str, ...], disclose: str
) -> None:
    item = room.items()["released.txt"].item
    out = tmp_path / "evidence.zip"
    done = export(room, out, *(word.replace("ITEM", item) for word in words), "--disclose", disclose)
    assert done["policies_missing"] == []
    assert (done["disclosures"] > 0) is (disclose == "all")
    answer = as_the_readme_says(out, room, tmp_path / "desk")
    assert (answer.code, answer.err) == (0, "")
    readme = contents(out)[pack.README].decode()
    assert readme.partition(f"{BEGIN}\n")[2].partition(f"{END}\n")[0] == answer.out
    assert hashlib.sha256(VERIFIER.read_bytes()).hexdigest() in readme
    verdict = judge(out, *keys(room))
    assert (verdict.ours, verdict.theirs) == (0, 0), verdict
    verified = call("audit", "verify", out, "--vkey", room.vkey, "--json")
    fits("audit-pack", verified.json)
    facts = verified.json["pack"]
    assert (facts["entries"], facts["size"]) == (done["entries"], done["size"])
    assert (facts["releases"], facts["disclosures"]) == (1, done["disclosures"])


def test_what_the_terminal_says(room: Room, tmp_path: Path) -> None:
    out = tmp_path / "evidence.zip"
    item = room.items()["released.txt"].item
    said = room.must("audit", "export", "--item", item, "--disclose", "name", "--out", out).out
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    assert digest in said
    assert "README.txt" in said
    assert hashlib.sha256(VERIFIER.read_bytes()).hexdigest() in said
    answer = call("audit", "verify", out, "--vkey", room.vkey)
    assert answer.code == 0
    entries, size = (len(events(contents(out))), pack.parse_manifest(contents(out)[pack.MANIFEST]).size)
    assert f"{entries} of its {size} entries" in answer.out
    assert "only the whole log shows" in answer.out
    assert "Compare the first approver's key" in answer.out
    folder = tmp_path / "pack"
    with zipfile.ZipFile(out) as archive:
        archive.extractall(folder)
    assert call("audit", "verify", folder, "--vkey", room.vkey).code == 0
    assert call("audit", "verify", out).code == 2
    assert call("audit", "verify", out, "--vkey", room.vkey, "--older", room.root / "log" / "checkpoint").code == 2
    assert call("audit", "verify", out, "--vkey", room.vkey, "--origin", "other.example").code == 4


def test_a_pack_holds_what_was_asked_for_and_what_it_rests_on(room: Room, tmp_path: Path) -> None:
    row = room.items()["released.txt"]
    export(room, tmp_path / "item.zip", "--item", row.item)
    files = contents(tmp_path / "item.zip")
    manifest = pack.parse_manifest(files[pack.MANIFEST])
    by_number = {json.loads(line)["i"]: json.loads(line) for line in files[pack.ENTRIES].splitlines()}
    governing = {by_number[index]["event"] for index in manifest.governing}
    assert governing == {"person.enrolled", "campaign.approved"}
    asked = [by_number[index]["event"] for index in manifest.asked]
    assert asked[0] == "file.spooled"
    assert {"statement.accepted", "file.approved", "file.released", "original.retired"} <= set(asked)
    assert {entry.get("item") for entry in by_number.values()} == {None, row.item}
    policy = next(content for name, content in files.items() if name.startswith("policy/"))
    assert json.loads(policy.split(b"\n", 1)[1])["approval"]["four_eyes"] is True
    export(room, tmp_path / "late.zip", "--since", by_number[manifest.asked[-1]]["at"])
    late = pack.parse_manifest(contents(tmp_path / "late.zip")[pack.MANIFEST])
    assert len(late.governing) > len(late.asked) > 0  # the end of the item's life, with all that leads to it
    assert judge(tmp_path / "late.zip", *keys(room)).ours == 0


def test_only_what_was_chosen_is_opened(room: Room, tmp_path: Path) -> None:
    item = room.items()["released.txt"].item
    export(room, tmp_path / "none.zip", "--item", item)
    export(room, tmp_path / "name.zip", "--item", item, "--disclose", "name")
    export(room, tmp_path / "all.zip", "--all", "--disclose", "all")
    opened = {
        name: [json.loads(line) for line in contents(tmp_path / f"{name}.zip")[pack.DISCLOSURES].splitlines()]
        for name in ("none", "name", "all")
    }
    assert opened["none"] == []
    assert {(one["name"], one["value"]) for one in opened["name"]} == {
        ("name", "released.txt"),
        ("name", "sam"),
        ("name", "helen"),
    }
    assert {one["name"] for one in opened["all"]} > {"name", "purpose"}
    for name in ("none", "name"):  # whatever was not opened is nowhere in the pack
        content = (tmp_path / f"{name}.zip").read_bytes()
        assert b"held.txt" not in content
        assert (b"helen" in content) is (name == "name")


def test_the_same_pack_has_the_same_bytes_and_stands_in_the_log(room: Room, tmp_path: Path) -> None:
    item = room.items()["released.txt"].item
    first = export(room, tmp_path / "one.zip", "--item", item)
    second = export(room, tmp_path / "other name.zip", "--item", item)
    assert (first["sha256"], first["bytes"]) == (second["sha256"], second["bytes"])
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "other name.zip").read_bytes()
    assert (tmp_path / "one.zip").stat().st_mode & 0o777 == 0o600
    entries = room.must("audit", "show", "--event", "export.made", "--json").json["entries"]
    assert [entry["i"] for entry in entries] == [second["entry"], first["entry"]]
    assert entries[0]["facts"] == {
        "kind": "item",
        "item": item,
        "entries": first["entries"],
        "disclosures": 0,
        "size": first["size"],
        "bytes": (tmp_path / "one.zip").stat().st_size,
        "sha256": hashlib.sha256((tmp_path / "one.zip").read_bytes()).hexdigest(),
    }
    assert second["unsigned"] == 1
    assert room.must("audit", "verify").code == 0


def test_nothing_is_written_over_and_a_failure_leaves_nothing(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "there"
    out.write_text("mine")
    for words in (("--all",), ("--all", "--jsonl")):
        answer = room.call("audit", "export", *words, "--out", out)
        assert answer.code == 2
        assert "→" in answer.err
    assert out.read_text() == "mine"
    assert room.call("audit", "export", "--all", "--out", tmp_path / "nowhere" / "x.zip").code == 2
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "target")
    assert room.call("audit", "export", "--all", "--out", link).code == 2
    assert room.must("audit", "show", "--event", "export.made", "--json").json["entries"] == []

    def fails(*_: object) -> None:
        raise Tampered("no entry can be made")

    monkeypatch.setattr("transfer.audit.log.Log.append", fails)
    assert room.call("audit", "export", "--all", "--out", tmp_path / "new.zip").code == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "there", "w"]


def test_a_disk_without_links_takes_a_pack_too(room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    export(room, tmp_path / "stick.zip", "--all")
    assert judge(tmp_path / "stick.zip", *keys(room)).ours == 0
    assert room.call("audit", "export", "--all", "--out", tmp_path / "stick.zip").code == 2


WRONG = {
    "nothing asked for": ((), "about one thing"),
    "two things": (("--all", "--campaign", "open-day"), "about one thing"),
    "no item": (("--item", "x"), "well formed"),
    "no time": (("--since", "yesterday"), "no time"),
    "an unknown text": (("--all", "--disclose", "nmae"), "nmae"),
    "lines that open": (("--all", "--jsonl", "--disclose", "name"), "Lines open nothing"),
}


@pytest.mark.parametrize(("words", "said"), WRONG.values(), ids=WRONG.keys())
def test_wrong_arguments_are_misuse_with_advice(room: Room, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    answer = room.call("audit", "export", *words, "--out", tmp_path / "x.zip")
    assert answer.code == 2
    assert said in answer.err
    assert not (tmp_path / "x.zip").exists()


def test_where_it_is_to_be_written_has_to_be_said(room: Room) -> None:
    assert room.call("audit", "export", "--all").code == 2
    assert room.call("audit", "export", "--all", "--jsonl", "--json").code == 2


def test_nothing_about_that_is_no(room: Room, tmp_path: Path) -> None:
    for words in (("--item", "i-00000000"), ("--campaign", "nothing"), ("--since", "2999-01-01")):
        answer = room.call("audit", "export", *words, "--out", tmp_path / "x.zip")
        assert answer.code == 1, answer
    assert not (tmp_path / "x.zip").exists()


def test_lines_are_the_leaves(room: Room, tmp_path: Path) -> None:
    reader = FolderReader(room.root / "log")
    said = room.must("audit", "export", "--all", "--jsonl")
    lines = said.out.encode().splitlines()
    assert lines == reader.entries(0, len(lines))
    level = reader.hashes(0, 0, len(lines))
    for index, line in enumerate(lines):
        assert hashlib.sha256(b"\x00" + line).digest() == level[index * 32 : index * 32 + 32]
    done = export(room, tmp_path / "log.jsonl", "--all", "--jsonl")
    content = (tmp_path / "log.jsonl").read_bytes()
    assert content == said.out.encode()
    assert (done["entries"], done["bytes"]) == (len(lines), len(content))
    assert done["sha256"] == hashlib.sha256(content).hexdigest()
    assert done["entry"] is None
    item = room.items()["released.txt"].item
    some = room.must("audit", "export", "--item", item, "--jsonl").out.encode().splitlines()
    assert set(some) < set(lines)
    assert {json.loads(line).get("item") for line in some} == {item, None}  # its statements are about it, too
    period = room.must("audit", "export", "--until", json.loads(lines[5])["at"], "--jsonl").out.encode().splitlines()
    assert period == [line for line in lines if json.loads(line)["at"] < json.loads(lines[5])["at"]]


def test_what_is_not_signed_is_left_out_and_said(room: Room, tmp_path: Path) -> None:
    room.must("pause", "--as", "helen", "--key", room.key, "--reason", "a test")
    answer = room.must("audit", "export", "--all", "--jsonl")
    assert "gateway.paused" not in answer.out
    assert "not signed yet: 1 newer entry;" in answer.err
    room.publish()
    assert "gateway.paused" in room.must("audit", "export", "--all", "--jsonl").out


def test_a_pack_changed_on_its_way_is_found_at_the_command_line(room: Room, tmp_path: Path) -> None:
    out = tmp_path / "evidence.zip"
    export(room, out, "--all")
    content = bytearray(out.read_bytes())
    content[content.index(b'"event"') + 12] ^= 1
    out.write_bytes(content)
    answer = call("audit", "verify", out, "--vkey", room.vkey, "--json")
    assert answer.code == 4
    fits("audit-pack", answer.json)
    assert answer.json["problem"] in answer.err
    assert call("audit", "verify", out, "--vkey", Room(tmp_path).vkey).code == 2


def test_an_old_workspace_says_which_policy_text_was_not_kept(room: Room, tmp_path: Path) -> None:
    """Before texts were kept, only the digest of a policy was; later the text in force fills the gap."""
    with room.site() as site, site.db.write() as tx:
        policy = site.policy
        tx.connection.exec_driver_sql("DELETE FROM meta WHERE key LIKE 'policy:%'")
    assert export(room, tmp_path / "one.zip", "--all")["policies_missing"] == []
    text = room.workspace.policy_file.read_text()
    room.workspace.policy_file.write_text(text + "\n[approval]\nquorum = 2\n")
    done = export(room, tmp_path / "two.zip", "--all")
    assert done["policies_missing"] == [policy.sha256]
    assert f"not kept: the text of policy  {policy.sha256}" in contents(tmp_path / "two.zip")[pack.README].decode()
    assert judge(tmp_path / "two.zip", *keys(room)) == judge(tmp_path / "one.zip", *keys(room))
    room.workspace.policy_file.write_text(text)
    room.gateway()  # it keeps the text of the policy in force at every start
    room.workspace.policy_file.write_text(text + "\n[approval]\nquorum = 2\n")
    assert export(room, tmp_path / "three.zip", "--all")["policies_missing"] == []


def test_a_policy_text_that_was_changed_is_not_handed_out(room: Room, tmp_path: Path) -> None:
    with room.site() as site, site.db.write() as tx:
        tx.connection.exec_driver_sql("UPDATE meta SET value = 'anything' WHERE key LIKE 'policy:%'")
        with pytest.raises(Tampered):
            adoption.kept_policy_text(tx, site.policy.sha256)
    room.workspace.policy_file.write_text(room.workspace.policy_file.read_text() + "\n[approval]\nquorum = 2\n")
    assert room.call("audit", "export", "--all", "--out", tmp_path / "x.zip").code == 4


def test_no_pack_is_made_of_a_log_that_does_not_verify(room: Room, tmp_path: Path) -> None:
    """The program in the pack checks it before anybody gets it."""
    with room.site() as site:
        site.db.close()
    import sqlite3

    with sqlite3.connect(room.workspace.database) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f'DROP TRIGGER "{name}"')
        changed = "CAST(replace(CAST(leaf AS TEXT), 'open-day', 'open-dax') AS BLOB)"
        db.execute(f"UPDATE audit_entry SET leaf = {changed}")
    db.close()
    answer = room.call("audit", "export", "--all", "--out", tmp_path / "x.zip")
    assert answer.code == 4
    assert "No pack was made" in answer.err
    assert not (tmp_path / "x.zip").exists()


def test_many_exports_at_once_make_whole_packs(room: Room, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def one(number: int) -> None:
        try:
            words = [sys.executable, "-m", "transfer", "audit", "export", "--all", "-w", str(room.root)]
            done = subprocess.run([*words, "--out", str(tmp_path / f"{number % 2}.zip")], check=False)
            assert done.returncode in {0, 2, 3}
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    packs = sorted(tmp_path.glob("*.zip"))
    assert len(packs) == 2
    assert all(judge(path, *keys(room)).ours == 0 for path in packs)
    room.must("audit", "verify")


def test_lines_of_a_long_log_are_streamed(tmp_path: Path) -> None:
    """What is in memory does not grow with the log: lines come while the rest is still to be read."""
    from tests.audit.conftest import Bench
    from transfer.audit.export import entry_lines
    from transfer.audit.export_select import Selection

    bench = Bench(tmp_path)
    bench.publish(3000)
    database: Database = bench.db
    with database.read() as tx:
        size = journal.head(tx).signed_size
        for selection in (Selection(), Selection(since="2026-01-01T00:00:00.000Z")):
            lines = entry_lines(tx, selection, size)
            assert json.loads(next(lines))["i"] == 0
            assert sum(1 for _ in lines) == size - 1
    bench.db.close()


def test_a_pack_without_room_for_it_is_said(room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transfer.audit.export_select import Selection
    from transfer.audit.keys import load_key
    from transfer.errors import Unavailable

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("transfer.store.new_file.write_all", full)
    with room.site() as site:
        key = load_key(room.workspace.keys / "log.key").verifier
        with pytest.raises(Unavailable, match="disk is full"):
            export_pack(site, Selection(), tmp_path / "x.zip", key=key)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["w"]


@pytest.mark.slow
def test_a_pack_is_made_while_a_gateway_runs(room: Room, tmp_path: Path) -> None:
    place = Place(room.root)
    place.set("log", publish_seconds="0.3")
    with running(place):
        place.drop("new.txt", b"Come again.\n")
        wait_for(lambda: "new.txt" in room.items(), 30, "the new file")
        for number in range(3):
            done = export(room, tmp_path / f"{number}.zip", "--all")
            assert judge(tmp_path / f"{number}.zip", *keys(room)).theirs == 0
        wait_for(lambda: room.call("audit", "prove", "--entry", str(done["entry"])).code == 0, 20, "its signature")
        export(room, tmp_path / "last.zip", "--all")
    assert events(contents(tmp_path / "last.zip")).count("export.made") == 3
    room.must("audit", "verify")
