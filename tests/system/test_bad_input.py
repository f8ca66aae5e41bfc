"""Wrong settings, policies, keys, disks and records: a sentence, what to do, the right exit code, nothing lost."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import samples
from tests.store.disks import make_read_only, small_disk
from tests.system.place import TRACEBACK, Answer, Place, copy_of, run_command


@dataclass(frozen=True)
class Wrong:
    """Something made wrong, the exit code it must give and the words that must be said about it."""

    make: Callable[[Place], None]
    code: int
    words: tuple[str, ...]


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text, (path, old)
    path.write_text(text.replace(old, new, 1))


def _settings(old: str, new: str) -> Callable[[Place], None]:
    return lambda place: _edit(place.workspace.settings_file, old, new)


def _policy(text: str) -> Callable[[Place], None]:
    def append(place: Place) -> None:
        place.workspace.policy_file.write_text(place.workspace.policy_file.read_text() + text)

    return append


def _foreign_log(place: Place) -> None:
    other = place.root.parent / "other"
    assert run_command("init", other, "--demo", cwd=other.parent).code == 0
    shutil.rmtree(place.workspace.log)
    shutil.copytree(other / "log", place.workspace.log)


WRONG = {
    "unknown key": Wrong(
        _settings("[intake]\n", "[intake]\nsetle_seconds = 1\n"),
        2,
        ("transfer.toml, line", "setle_seconds", "settle_seconds"),
    ),
    "unknown section": Wrong(_settings("[intake]", "[intakes]"), 2, ("transfer.toml", "intakes")),
    "not TOML": Wrong(_settings("[intake]", "[intake"), 2, ("transfer.toml", "line")),
    "wrong type": Wrong(_settings("rescan_seconds = 0.5", 'rescan_seconds = "soon"'), 2, ("rescan_seconds",)),
    "not UTF-8": Wrong(lambda place: place.workspace.settings_file.write_bytes(b"\xff\xfe"), 2, ("transfer.toml",)),
    "staging inside release": Wrong(
        _settings('path = "staging"', 'path = "release/staging"'), 2, ("lie in one another",)
    ),
    "a rule without a clause": Wrong(
        _policy('\n[[rule]]\nid = "mine"\non = ["location"]\nthen = "refuse"\nmessage = "No."\nadvice = "Go."\n'),
        2,
        ("policy.toml, line", "clauses"),
    ),
    "a rule that loosens": Wrong(_policy('\n[limits]\nimage_bytes = "500 MB"\n'), 2, ("policy.toml", "image_bytes")),
    "key of the log open to others": Wrong(
        lambda place: (place.workspace.keys / "log.key").chmod(0o644), 2, ("log.key", "chmod 600")
    ),
    "keys folder open to others": Wrong(lambda place: place.workspace.keys.chmod(0o755), 2, ("keys", "chmod 700")),
    "key of the log gone": Wrong(lambda place: (place.workspace.keys / "log.key").unlink(), 2, ("log.key",)),
    "key of the log is something else": Wrong(
        lambda place: _rewrite(place.workspace.keys / "log.key", b"hello"), 2, ("log.key", "signing key")
    ),
    "first approver's key gone": Wrong(
        lambda place: (place.workspace.keys / "first-approver.vkey").unlink(), 2, ("first approver", "backup")
    ),
    "no staging folder": Wrong(
        lambda place: (place.root / "staging").rename(place.root / "elsewhere"), 3, ("staging",)
    ),
    "no release folder": Wrong(lambda place: shutil.rmtree(place.release), 3, ("release",)),
    "no database": Wrong(lambda place: shutil.rmtree(place.workspace.db), 2, ("no database",)),
    "database newer than the program": Wrong(
        lambda place: _sql(place, "UPDATE meta SET value = '99' WHERE key = 'schema_version'"),
        2,
        ("version 99", "newer program"),
    ),
    "database is something else": Wrong(
        lambda place: _rewrite(place.workspace.database, b"this is no database " * 500), 4, ("database", "backup")
    ),
    "log folder gone": Wrong(lambda place: _emptied(place.workspace.log), 4, ("no checkpoint", "published")),
    "log folder of another": Wrong(_foreign_log, 4, ("log.vkey", "not this gateway")),
    "alien file in the log": Wrong(
        lambda place: (place.workspace.log / "tile" / "hello").write_text("hello"), 4, ("hello", "no place in a log")
    ),
    "edited row, triggers dropped": Wrong(
        lambda place: _sql(
            place,
            "DROP TRIGGER audit_entry_no_update",
            "UPDATE audit_entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'open', 'shut') AS BLOB) WHERE i = 6",
        ),
        4,
        ("database was edited", "entry"),
    ),
    "row taken away, triggers dropped": Wrong(
        lambda place: _sql(place, "DROP TRIGGER audit_entry_no_delete", "DELETE FROM audit_entry WHERE i = 3"),
        4,
        ("database",),
    ),
}


@pytest.fixture(scope="module")
def started(template: Place, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Answer, bool]]:
    """What `run --once` said about each, and whether the dropped file is still there; a few at a time."""

    def start(name: str) -> tuple[Answer, bool]:
        place = copy_of(template, tmp_path_factory.mktemp("wrong") / "w")
        dropped = place.drop("photo.jpg", samples.jpeg(64, 64))
        WRONG[name].make(place)
        answer = place.command("run", "--once", within=120)
        return answer, dropped.exists() or (place.root / "elsewhere" / "open-day" / dropped.name).exists()

    with ThreadPoolExecutor(3) as together:
        return dict(zip(WRONG, together.map(start, WRONG), strict=True))


@pytest.mark.parametrize("name", WRONG)
def test_starting_with_something_wrong(started: dict[str, tuple[Answer, bool]], name: str) -> None:
    answer, still_there = started[name]
    _check(answer, WRONG[name].code, *WRONG[name].words)
    assert still_there


@pytest.mark.slow
def test_a_rolled_back_database_is_noticed(place: Place) -> None:
    place.drop("one.txt", samples.text("one\n"))
    kept = place.root.parent / "kept"
    shutil.copytree(place.workspace.db, kept)
    place.must("run", "--once", "--quiet")
    shutil.rmtree(place.workspace.db)
    shutil.copytree(kept, place.workspace.db)
    _check(place.command("run", "--once"), 4, "rolled back", "transfer audit adopt")


def test_an_edited_item_is_not_released(place: Place) -> None:
    """Whoever can write the database makes an item of their own «approved»: the chain of signatures is not there."""
    place.drop("photo.jpg", samples.jpeg(64, 64))
    place.must("run", "--once", "--quiet")
    _sql(place, "UPDATE item SET state = 'approved', waiting_for = NULL")
    answer = place.command("run", "--once", "--quiet")
    _check(answer, 4, "approv")
    assert [path.name for path in place.release.iterdir()] == ["manifest.note"]


@pytest.mark.slow
def test_another_clean_blob_is_not_released(place: Place) -> None:
    place.drop("words.txt", samples.text("these words\n"))
    place.must("run", "--once", "--quiet")
    place.approve_all()
    blob = next(path for path in place.workspace.clean.rglob("*") if path.is_file())
    blob.write_bytes(b"those words\n")
    answer = place.command("run", "--once", "--quiet")
    _check(answer, 4, "not the approved one")
    assert [path.name for path in place.release.iterdir()] == ["manifest.note"]
    assert place.counts() == {"approved": 1}


@pytest.mark.parametrize("command", [("run", "--once"), ("status",), ("approve", "i-aaaaaaaa")])
def test_a_read_only_disk(place: Place, command: tuple[str, ...]) -> None:
    with small_disk(place.root.parent / "disk", kibibytes=8192) as disk:
        shutil.copytree(place.root, disk / "w")
        make_read_only(disk)
        frozen = Place(disk / "w")
        more = ("--as", "helen", "--key", frozen.key, "--public", "--risk", "low") if command[0] == "approve" else ()
        answer = frozen.command(*command, *more)
        assert answer.code == 3, answer
        assert "read-only" in answer.err, answer


def test_init_where_something_is(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "thesis.txt").write_text("mine")
    _check(run_command("init", tmp_path / "w", "--demo", cwd=tmp_path), 2, "something at", "empty")
    assert (tmp_path / "w" / "thesis.txt").read_text() == "mine"


def test_commands_without_a_workspace(tmp_path: Path) -> None:
    for command in (("status",), ("run",), ("show", "i-aaaaaaaa")):
        _check(run_command(*command, cwd=tmp_path), 2, "transfer.toml", "transfer init")
    _check(run_command("status", "-w", tmp_path / "nowhere", cwd=tmp_path), 2, "nowhere")


def test_questions_about_what_is_not_there(place: Place) -> None:
    signed = ("--as", "helen", "--key", place.key, "--public", "--risk", "low")
    for command, code, word in (
        (("show", "i-aaaaaaaa"), 1, "no item"),
        (("show", "../../etc"), 2, "well formed"),
        (("approve", "i-aaaaaaaa", *signed), 1, "no item"),
        (("approve", "i-aaaaaaaa", "--as", "helen", "--key", place.key, "--risk", "low"), 2, "PUBLIC"),
        (("approve", "i-aaaaaaaa", "--as", "nobody", "--key", place.key, "--public", "--risk", "low"), 1, "nobody"),
        (
            ("approve", "i-aaaaaaaa", "--as", "helen", "--key", "none.key", *signed[4:]),
            2,
            "none",
        ),
        (("status", "--state", "unknown"), 2, "unknown"),
        (("status", "--since", "yesterday"), 2, "yesterday"),
    ):
        _check(place.command(*command), code, word)


def test_an_approvers_key_open_to_others(place: Place) -> None:
    place.drop("words.txt", samples.text())
    place.must("run", "--once", "--quiet")
    place.key.chmod(0o644)
    item = place.rows()[0].item
    answer = place.command("approve", item, "--as", "helen", "--key", place.key, "--public", "--risk", "low")
    _check(answer, 2, "helen.key", "chmod 600")
    assert place.counts() == {"held": 1}


def test_verifying_finds_an_edited_tile(place: Place) -> None:
    tile = next(place.workspace.log.rglob("0/000.p/*"))
    content = bytearray(tile.read_bytes())
    content[len(content) // 2] ^= 1
    tile.write_bytes(content)
    _check(place.command("audit", "verify"), 4, "000.p")


def test_release_and_aside_on_two_disks(place: Place) -> None:
    """The guard could not move anything aside at once."""
    with small_disk(place.root.parent / "other", kibibytes=256) as disk:
        (disk / "aside").mkdir()
        place.set("release", aside=f'"{disk / "aside"}"')
        _check(place.command("run", "--once"), 2, "not on one file system")


def test_a_workspace_that_somebody_else_may_enter(place: Place) -> None:
    place.workspace.state.chmod(0o755)
    _check(place.command("status"), 2, "state", "chmod 700")


def _check(answer: Answer, code: int, *words: str) -> None:
    assert answer.code == code, answer
    lines = [line for line in answer.err.splitlines() if line.startswith("transfer: ")]
    assert len(lines) == 1, answer.err
    assert TRACEBACK not in answer.err
    for word in words:
        assert word in answer.err, (word, answer.err)


def _sql(place: Place, *statements: str) -> None:
    with sqlite3.connect(place.workspace.database) as database:
        for statement in statements:
            assert database.execute(statement).rowcount != 0, statement
    database.close()


def _rewrite(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()
