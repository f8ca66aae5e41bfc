"""The database when things go wrong: full and read-only disks, damage, other versions, errors in the middle."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from tests.store.disks import fill, make_read_only, make_writable, small_disk
from transfer.errors import Misuse, Tampered, Unavailable
from transfer.store.database import Database, WriteTx
from transfer.store.schema import META, METADATA


def put(tx: WriteTx, key: str, value: str = "x") -> None:
    tx.connection.execute(insert(META).values(key=key, value=value))


def keys(db: Database) -> set[str]:
    with db.read() as tx:
        return set(tx.connection.scalars(select(META.c.key))) - {"schema_version"}


def test_what_is_written_is_there_for_the_next_process(tmp_path: Path) -> None:
    db = Database.create(tmp_path / "db")
    with db.write() as tx:
        put(tx, "a")
    db.close()
    again = Database.open(tmp_path / "db")
    assert keys(again) == {"a"}
    again.close()


def test_a_new_database_is_private_complete_and_whole(tmp_path: Path) -> None:
    before = os.umask(0o022)
    db = Database.create(tmp_path / "db")
    os.umask(before)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        name: 0o600 for name in ("db", "db-wal", "db-shm") if (tmp_path / name).exists()
    }
    with db.read() as tx:
        tables = set(tx.connection.scalars(text("SELECT name FROM sqlite_schema WHERE type = 'table'")))
    assert {"meta", "control", "item"} <= tables
    assert set(METADATA.tables) <= tables
    with pytest.raises(Misuse, match="already"):
        Database.create(tmp_path / "db")
    db.close()


def test_an_error_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    db = Database.create(tmp_path / "db")
    with contextlib.suppress(ZeroDivisionError), db.write() as tx:
        put(tx, "a")
        _ = 1 // 0
    with db.write() as tx:
        put(tx, "b")
    assert keys(db) == {"b"}
    db.close()


def test_a_kill_while_it_is_made_leaves_room_for_the_next_attempt(tmp_path: Path) -> None:
    half = tmp_path / ".part-db"
    half.write_bytes(b"half a database")
    (tmp_path / ".part-db-wal").write_bytes(b"and its log")
    db = Database.create(tmp_path / "db")
    assert not half.exists()
    assert keys(db) == set()
    db.close()


def test_sqlite_rolling_back_by_itself_is_told_truly_and_survived(tmp_path: Path) -> None:
    db = Database.create(tmp_path / "db")

    def swallow() -> None:
        with db.write() as tx:
            put(tx, "a")
            with contextlib.suppress(IntegrityError):  # a caller that swallows the error must not commit the rest alone
                tx.connection.execute(text("INSERT OR ROLLBACK INTO meta VALUES ('a', 'twice')"))

    with pytest.raises(Unavailable, match="gave up"):
        swallow()
    with pytest.raises(IntegrityError), db.write() as tx:  # not hidden behind an error about the rollback
        tx.connection.execute(text("INSERT OR ROLLBACK INTO meta VALUES ('schema_version', 'twice')"))
    with db.write() as tx:
        put(tx, "b")
    assert keys(db) == {"b"}
    db.close()


def test_a_full_disk_is_unavailable_and_it_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=1024) as disk:
        db = Database.create(disk / "db")
        with db.write() as tx:
            put(tx, "before")
        filler = fill(disk, leave=8192)
        for attempt in range(3):  # each time the connection must be usable again
            with pytest.raises(Unavailable, match="full"), db.write() as tx:
                put(tx, f"during-{attempt}", "x" * 200_000)
        assert keys(db) == {"before"}
        filler.unlink()
        with db.write() as tx:
            put(tx, "after", "x" * 200_000)
        assert keys(db) == {"before", "after"}
        db.check()
        db.close()


def test_a_disk_that_fills_up_little_by_little_never_keeps_half_a_change(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=1024) as disk:
        db = Database.create(disk / "db")
        done = 0
        with pytest.raises(Unavailable):  # noqa: PT012 -- which of the writes meets the end is not known
            while True:
                with db.write() as tx:
                    put(tx, f"one-{done}", "x" * 3000)
                    put(tx, f"two-{done}", "x" * 3000)
                done += 1
        assert done > 5
        db.close()
        db = Database.open(disk / "db")
        assert keys(db) == {f"{half}-{number}" for number in range(done) for half in ("one", "two")}
        db.close()


def test_no_room_to_make_one(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=2048) as disk:
        filler = fill(disk, leave=16384)
        with pytest.raises(Unavailable, match="full"):
            Database.create(disk / "db")
        assert sorted(path.name for path in disk.iterdir()) == ["filler"]
        filler.unlink()
        Database.create(disk / "db").close()


def test_a_read_only_disk_is_unavailable(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", kibibytes=1024) as disk:
        Database.create(disk / "db").close()
        make_read_only(disk)
        with pytest.raises(Unavailable):
            Database.create(disk / "other")
        with pytest.raises(Unavailable):
            Database.open(disk / "db")
        make_writable(disk)
        Database.open(disk / "db").close()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_a_folder_of_another_user_is_unavailable(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    folder = tmp_path / "theirs"
    folder.mkdir(mode=0o755)
    program = """
        import os, sys
        from pathlib import Path
        from transfer.errors import Unavailable
        from transfer.store.database import Database
        from transfer.store import tables
        os.setuid(65534)
        try:
            Database.create(Path(sys.argv[1]) / "db")
        except Unavailable as error:
            print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(folder)], capture_output=True, text=True, check=False
    )
    assert "Check the folder's owner" in done.stdout, done.stderr


@pytest.mark.parametrize(("version", "advice"), [("99", "newer program"), ("0", "before the update")])
def test_another_version_is_misuse(tmp_path: Path, version: str, advice: str) -> None:
    db = Database.create(tmp_path / "db")
    with db.write() as tx:
        tx.connection.execute(update(META).values(value=version))
    db.close()
    with pytest.raises(Misuse, match=f"has version {version}") as caught:
        Database.open(tmp_path / "db")
    assert advice in caught.value.advice


def test_nothing_there_is_misuse(tmp_path: Path) -> None:
    with pytest.raises(Misuse, match="There is no database"):
        Database.open(tmp_path / "db")


def damage_header(path: Path) -> None:
    path.write_bytes(b"not a database" + path.read_bytes()[14:])


def damage_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)


def replace_by_another_program_s(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs(title TEXT)")
    connection.close()


def spoil_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE meta SET value = 'one'")
    connection.close()


@pytest.mark.parametrize(
    "damage",
    [damage_header, damage_pages, replace_by_another_program_s, spoil_version, lambda path: path.write_bytes(b"")],
)
def test_damage_is_tampering(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def] # see above
    Database.create(tmp_path / "db").close()
    damage(tmp_path / "db")
    with pytest.raises(Tampered):
        Database.open(tmp_path / "db")


def test_damage_in_one_page_is_found_by_the_check(tmp_path: Path) -> None:
    db = Database.create(tmp_path / "db")
    with db.write() as tx:
        for number in range(400):
            put(tx, f"key-{number}", "y" * 100)
    db.check()
    db.close()
    content = (tmp_path / "db").read_bytes()
    at = content.index(b"key-200")
    (tmp_path / "db").write_bytes(content[:at] + b"KEX-999" + content[at + 7 :])
    db = Database.open(tmp_path / "db")
    with pytest.raises(Tampered):
        db.check()
    db.close()


def test_data_version_changes_with_others_commits(tmp_path: Path) -> None:
    db = Database.create(tmp_path / "db")
    other = Database.open(tmp_path / "db")
    before = db.data_version()
    assert db.data_version() == before
    with db.write() as tx:
        put(tx, "ours")
    assert db.data_version() == before, "our own changes are no news"
    with other.write() as tx:
        put(tx, "a")
    assert db.data_version() != before
    other.close()
    db.close()


def test_writers_in_threads_wait_for_each_other(tmp_path: Path) -> None:
    db = Database.create(tmp_path / "db")
    other = Database.open(tmp_path / "db")

    def write(through: Database, who: int) -> None:
        for number in range(50):
            with through.write() as tx:
                put(tx, f"{who}-{number}")

    threads = [threading.Thread(target=write, args=(through, who)) for who, through in enumerate((db, db, other))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys(db)) == 150
    other.close()
    db.close()


def test_a_reader_sees_one_snapshot(tmp_path: Path) -> None:
    db = Database.create(tmp_path / "db")
    with db.read() as tx:
        assert tx.connection.scalars(select(META.c.key)).all() == ["schema_version"]
        with db.write() as other:
            put(other, "a")
        assert tx.connection.scalars(select(META.c.key)).all() == ["schema_version"]
    assert keys(db) == {"a"}
    db.close()


def test_a_copy_is_whole_while_others_write(tmp_path: Path) -> None:
    db = Database.create(tmp_path / "db")
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            with db.write() as tx:
                put(tx, f"one-{number}")
                put(tx, f"two-{number}")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            db.copy_to(tmp_path / f"copy-{number}")
    finally:
        stop.set()
        writer.join()
    assert sorted(path.name for path in tmp_path.glob("copy-*")) == [f"copy-{number}" for number in range(5)]
    copy = Database.open(tmp_path / "copy-4")
    copy.check()
    found = keys(copy)
    assert len(found) % 2 == 0
    assert {key.replace("one", "two") for key in found} == {key.replace("one", "two") for key in found if "two" in key}
    assert found <= keys(db)
    copy.close()
    with pytest.raises(FileExistsError):
        db.copy_to(tmp_path / "copy-4")
    db.close()


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    Database.create(tmp_path / "db").close()
    program = """
        import sys
        from pathlib import Path
        from sqlalchemy import insert
        from transfer.store.database import Database
        from transfer.store.schema import META
        db = Database.open(Path(sys.argv[1]))
        number = 0
        while True:
            with db.write() as tx:
                tx.connection.execute(insert(META).values(key=str(number), value="x"))
            print(number, flush=True)
            number += 1
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "db")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(100)]
        process.kill()
        acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
    db = Database.open(tmp_path / "db")
    assert {str(number) for number in acknowledged} <= keys(db)
    db.check()
    db.close()
