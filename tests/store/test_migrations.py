"""Databases of earlier releases: brought up to date, whole or not at all."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from tests.cli.rooms import Room, call
from tests.store.disks import fill, small_disk
from tests.store.pieces import SteppingClock
from tests.store.version1 import back_up, lay_out, make_database, version_of
from transfer.errors import Misuse, Unavailable
from transfer.store import migrations
from transfer.store.database import Database
from transfer.store.lock import hold_workspace
from transfer.store.migrations import STEPS, kept_copy
from transfer.store.schema import SCHEMA_VERSION


def shape(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table and index with its columns, as SQLite understands them."""
    with closing(sqlite3.connect(path)) as connection:
        names = connection.execute("SELECT type, name, tbl_name FROM sqlite_schema ORDER BY 1, 2").fetchall()
        found = {
            f"{kind} {name}": connection.execute(f"PRAGMA {kind}_xinfo('{name}')").fetchall()
            for kind, name, _ in names
            if kind in {"table", "index"}
        }
        return found | {f"{kind} {name}": [(on,)] for kind, name, on in names if kind not in {"table", "index"}}


def test_there_is_a_step_from_every_version_to_the_next() -> None:
    assert set(STEPS) == set(range(1, SCHEMA_VERSION))


def test_a_migrated_database_has_the_shape_of_a_new_one(tmp_path: Path) -> None:
    make_database(tmp_path / "old")
    Database.open(tmp_path / "old").close()
    Database.create(tmp_path / "new").close()
    assert shape(tmp_path / "old") == shape(tmp_path / "new")
    assert version_of(tmp_path / "old") == str(SCHEMA_VERSION)


def test_the_index_of_fingerprints_goes_and_they_stay(tmp_path: Path) -> None:
    Database.create(tmp_path / "db").close()
    before = shape(tmp_path / "db")
    db = Database.open(tmp_path / "db")
    with db.write() as tx:
        tx.driver.execute("INSERT INTO fingerprint VALUES (1, 'i-aaaaaaaa', ?, 100, 0)", ("0" * 64,))
        tx.driver.execute("CREATE TABLE fingerprint_part (key INTEGER PRIMARY KEY, seq INTEGER)")
        tx.driver.execute("INSERT INTO fingerprint_part VALUES (1, 1)")
        STEPS[5](tx.connection)
    db.close()
    assert shape(tmp_path / "db") == before
    with closing(sqlite3.connect(tmp_path / "db")) as connection:
        assert connection.execute("SELECT hash FROM fingerprint").fetchall() == [("0" * 64,)]


def test_the_old_one_is_kept_beside_it_private_and_whole(tmp_path: Path) -> None:
    make_database(tmp_path / "db")
    kept = kept_copy(tmp_path / "db", 1)
    kept.write_bytes(b"left by an attempt that was interrupted")
    db = Database.open(tmp_path / "db")
    db.close()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert version_of(kept) == "1"
    with closing(sqlite3.connect(kept)) as connection:
        assert connection.execute("SELECT count(*) FROM audit_entry").fetchone() == (30,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["db", "db.v1"]


def test_a_workspace_of_the_older_program_goes_on(tmp_path: Path) -> None:
    room = Room(tmp_path / "w")
    lay_out(room.root)
    verified = room.must("audit", "verify", "--json").json
    assert verified["database"]["entries"] == verified["folder"]["entries"] == 30
    assert {row["name"] for row in room.must("people", "list", "--json").json["people"]} >= {"Zoë Gone", "Ada Auditor"}
    room.must("people", "add", "Bea", "--role", "auditor")
    room.gateway()
    again = room.must("audit", "verify", "--json").json
    assert again["database"]["entries"] == again["folder"]["entries"] > 31
    receipt = tmp_path / "receipt"
    released = room.items()["released.txt"]
    room.must("audit", "prove", released.item, "--out", receipt)
    assert call("audit", "verify", receipt, "--vkey", room.vkey).code == 0


def test_a_backup_by_the_older_program_is_restored_and_goes_on(tmp_path: Path) -> None:
    back_up(tmp_path / "old", tmp_path / "backup")
    assert call("restore", tmp_path / "backup", "--to", tmp_path / "w").code == 0
    room = Room(tmp_path / "w")
    assert version_of(room.workspace.database) == str(SCHEMA_VERSION)
    assert not kept_copy(room.workspace.database, 1).exists()  # the backup itself is the copy
    room.must("audit", "adopt", "--log", tmp_path / "old" / "log")
    room.must("audit", "verify")


def test_of_many_that_open_it_at_once_one_migrates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_database(tmp_path / "db")
    done: list[int] = []
    step = STEPS[1]

    def counted(connection: Connection) -> None:
        done.append(1)
        step(connection)

    monkeypatch.setattr(migrations, "STEPS", {**STEPS, 1: counted})
    errors: list[BaseException] = []

    def open_it() -> None:
        try:
            Database.open(tmp_path / "db").close()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert done == [1]


def test_an_older_version_without_a_way_is_refused(tmp_path: Path) -> None:
    make_database(tmp_path / "db")
    with closing(sqlite3.connect(tmp_path / "db")) as connection, connection:
        connection.execute("UPDATE meta SET value = '0' WHERE key = 'schema_version'")
    with pytest.raises(Misuse, match=f"version 0, from which there is no way to version {SCHEMA_VERSION}"):
        Database.open(tmp_path / "db")


def test_a_step_that_fails_leaves_the_old_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_database(tmp_path / "db")
    step = STEPS[1]

    def fails(connection: Connection) -> None:
        step(connection)
        raise Misuse("It cannot be done.")

    monkeypatch.setattr(migrations, "STEPS", {**STEPS, 1: fails})
    with pytest.raises(Misuse, match="cannot be done"):
        Database.open(tmp_path / "db")
    assert version_of(tmp_path / "db") == "1"
    monkeypatch.undo()
    Database.open(tmp_path / "db").close()


DIES = """
    import os, signal, sys
    from pathlib import Path
    from transfer.store import migrations
    from transfer.store.database import Database

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    where = sys.argv[2]
    step, copy, rename = migrations.STEPS[1], migrations._copy, os.rename
    if where == "copying":
        migrations._copy = lambda engine, target: (copy(engine, target), die())
    if where == "copied":
        os.rename = lambda *given: (rename(*given), die())
    if where == "before":
        migrations.STEPS = {**migrations.STEPS, 1: lambda connection: die()}
    if where == "after":
        migrations.STEPS = {**migrations.STEPS, 1: lambda connection: (step(connection), die())}
    db = Database.open(Path(sys.argv[1]))
    die()
"""


@pytest.mark.parametrize("where", ["copying", "copied", "before", "after", "committed"])
def test_a_kill_leaves_the_old_version_or_the_new_one(tmp_path: Path, where: str) -> None:
    make_database(tmp_path / "db")
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(DIES), tmp_path / "db", where], check=False)
    assert done.returncode == -9
    assert version_of(tmp_path / "db") == (str(SCHEMA_VERSION) if where == "committed" else "1")
    Database.open(tmp_path / "db").close()
    assert version_of(tmp_path / "db") == str(SCHEMA_VERSION)
    assert version_of(kept_copy(tmp_path / "db", 1)) == "1"
    assert {path.name for path in tmp_path.iterdir()} == {"db", "db.v1"}


HOLDS = """
    import sys, time
    from pathlib import Path
    from transfer.store.lock import hold_workspace
    from transfer.wiring import SystemClock
    with hold_workspace(Path(sys.argv[1]), clock=SystemClock()):
        print("held", flush=True)
        time.sleep(60)
"""


def test_nothing_is_migrated_under_an_older_program_that_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_database(tmp_path / "db")
    lock = tmp_path / "lock"
    monkeypatch.setattr(migrations, "_PATIENCE", 0.3)
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HOLDS), lock], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(Unavailable, match=f"process {process.pid} runs this workspace's gateway"):
            Database.open(tmp_path / "db", lock=lock)
        process.kill()
    assert version_of(tmp_path / "db") == "1"
    with hold_workspace(lock, clock=SteppingClock()):  # who holds it may
        Database.open(tmp_path / "db", lock=lock).close()
        other: list[str | Path] = [sys.executable, "-c", textwrap.dedent(HOLDS), lock]
        refused = subprocess.run(other, capture_output=True, text=True, check=False, timeout=20)
        assert "Another gateway holds this workspace" in refused.stderr  # it holds it still
    assert version_of(tmp_path / "db") == str(SCHEMA_VERSION)


def test_without_room_for_the_copy_nothing_is_changed(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=1024) as disk:
        make_database(disk / "db")
        filler = fill(disk, leave=100_000)
        with pytest.raises(Unavailable, match="no room to keep a copy"):
            Database.open(disk / "db")
        assert version_of(disk / "db") == "1"
        assert sorted(path.name for path in disk.iterdir()) == ["db", "filler"]
        filler.unlink()
        Database.open(disk / "db").close()
        assert version_of(disk / "db") == str(SCHEMA_VERSION)
