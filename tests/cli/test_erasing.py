"""`transfer people erase`: nothing of somebody is left in the workspace, and the log still verifies."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.rooms import Room, call
from tests.cli.test_formats import fits
from tests.store.version1 import lay_out
from transfer.model.states import State
from transfer.store.migrations import kept_copy

pytestmark = pytest.mark.slow

NAME = "Zora Hüttenrauch"
TEXTS = ("Rather not, says Nora Quill.", "Zora asked for it.", "A note by Nora Quill.")
FILES = ("zora-garden", "zora-cellar", "zora-kitchen", "zora-attic")


def source(room: Room, person: str) -> str:
    return f'\n[[source]]\nid = "zora"\npath = "zora-staging"\nsubmitter = "{person}"\n'


def dropped(room: Room, name: str) -> Path:
    folder = room.root / "zora-staging" / "open-day"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.txt").write_text(f"Come and see number {FILES.index(name)}.\n")
    return folder


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Room:
    """A submitter with four captions: one on the device, one withdrawn, two refused by a second approver."""
    room = Room(tmp_path_factory.mktemp("busy") / "w")
    assert call("init", room.root, "--demo").code == 0
    zora = room.must("people", "add", NAME, "--role", "submitter", "--json").json["person"]["person"]
    key = room.root.parent / "nora.key"
    (room.root.parent / "nora.pub").write_text(call("people", "key", key).out)
    room.must(
        "people", "add", "Nora Quill", "--role", "approver", "--public-key", room.root.parent / "nora.pub",
        "--as", "helen", "--key", room.key,
    )  # fmt: skip
    with room.workspace.settings_file.open("a") as settings:
        settings.write(source(room, zora))
    for name in FILES:
        dropped(room, name)
    (room.root / "zora-staging" / "open-day" / "zora-post").mkdir()
    (room.root / "zora-staging" / "open-day" / "zora-post" / "zora-words.exe").write_text("MZ not a caption")
    (room.root / "staging" / "open-day" / "other.txt").write_text("Somebody else's.\n")
    room.gateway()
    items = {name: row.item for name, row in room.items().items()}
    nora = ("--as", "Nora Quill", "--key", key)
    for name in FILES[:2]:
        room.must("approve", items[f"{name}.txt"], *nora, "--public", "--risk", "low", "--note", TEXTS[2])
    room.gateway()
    room.must("withdraw", items["zora-cellar.txt"], *nora, "--reason", TEXTS[1])
    for name in (*FILES[2:], "other"):
        room.must("refuse", items[f"{name}.txt"], *nora, "--reason", TEXTS[0])
    room.gateway()
    assert room.state("zora-cellar.txt") is State.WITHDRAWN
    room.publish()
    return room


@pytest.fixture
def zoras(busy: Room, tmp_path: Path) -> Room:
    """A copy of it."""
    return busy.copy(tmp_path / "w")


def openings(room: Room, where: str = "1", *, of: Path | None = None) -> list[str]:
    with closing(sqlite3.connect(of or room.workspace.database)) as connection:
        return [text for (text,) in connection.execute(f"SELECT disclosure FROM audit_disclosure WHERE {where}")]


def opened(openings: list[str], value: str) -> list[str]:
    """Those that open a text with these words."""
    decoded = {text: json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))[2] for text in openings}
    return [text for text, found in decoded.items() if value in found]


def holds(folder: Path, *needles: str) -> dict[str, list[str]]:
    """Which files below a folder have which of these texts in their bytes or in their path."""
    found: dict[str, list[str]] = {}
    names = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    for needle in needles:
        # Another process reads: one that closes a file of SQLite's gives up the locks that SQLite has on it.
        grep = ["grep", "--recursive", "--text", "--fixed-strings", "--files-with-matches", "-e", needle, str(folder)]
        matching = subprocess.run(grep, capture_output=True, text=True, check=False).stdout.splitlines()
        matching += [name for name in names if needle in name.rpartition("/")[2]]
        if matching:
            found[needle] = matching
    return found


def person_called(room: Room, name: str) -> str:
    people = room.must("people", "list", "--json").json["people"]
    return next(str(one["person"]) for one in people if one["name"] == name)


def starts(room: Room) -> int:
    return len(room.must("audit", "show", "--event", "gateway.started", "--json").json["entries"])


def let_go(room: Room, person: str) -> None:
    """Everything that has to be done before somebody can be erased."""
    room.must("people", "disable", NAME)
    text = room.workspace.settings_file.read_text()
    room.workspace.settings_file.write_text(text.replace(source(room, person), ""))


def erase(room: Room) -> dict[str, object]:
    answer = room.must("people", "erase", NAME, "--as", "helen", "--ground", "Request of 1 December.", "--json")
    fits("erased", answer.json)
    return dict(answer.json)


def test_nothing_of_them_is_left_and_everything_still_verifies(zoras: Room) -> None:
    person = person_called(zoras, NAME)
    before = openings(zoras)
    theirs = [text for name in (NAME, *FILES, "zora-words") for text in opened(before, name)]
    assert len(theirs) > 8
    gone = [NAME, *FILES[1:], "zora-words", "zora-post", TEXTS[1], *theirs]
    released = zoras.items()["zora-garden.txt"].item
    refused = zoras.items()["zora-kitchen.txt"].item
    receipt = zoras.root.parent / "receipt"
    zoras.must("audit", "prove", released, "--out", receipt)
    there = holds(zoras.workspace.state, *gone)
    assert set(there) == set(gone)  # or the test below would prove nothing
    assert holds(zoras.workspace.feedback, "zora-kitchen", "zora-post").keys() == {"zora-kitchen", "zora-post"}
    let_go(zoras, person)

    done = erase(zoras)

    assert holds(zoras.workspace.state, *gone) == {}
    assert holds(zoras.workspace.feedback, *FILES, "zora-post") == {}
    assert holds(zoras.workspace.log, NAME, *FILES) == {}
    assert done["person"] == person
    assert done["items"] == 5
    assert done["openings"] == len(before) + 1 - len(openings(zoras))  # one more: the ground
    assert done["still_shown"] == ["zora-garden.txt"]
    # Others lose nothing:
    assert opened(openings(zoras), "other.txt")
    assert opened(openings(zoras), "Nora Quill")

    audit = zoras.must("audit", "verify", "--json").json
    assert audit["database"]["entries"] + audit["database"]["unpublished"] == int(str(done["entry"])) + 1
    assert call("audit", "verify", receipt, "--vkey", zoras.vkey).code == 0
    zoras.gateway()
    zoras.must("audit", "verify")
    for command in (("status",), ("show", released), ("show", refused), ("people", "list"), ("audit", "show")):
        told = zoras.must(*command).out
        assert "erased)" in told
        assert not any(text in told for text in (NAME, *FILES[1:], TEXTS[1]))
    entry = zoras.must("audit", "show", "--event", "person.erased", "--json").json["entries"][0]
    assert entry["facts"] == {
        "person": person, "openings": done["openings"], "words": done["words"], "items": 5,
    }  # fmt: skip
    assert entry["private"] == {"ground": "Request of 1 December."}
    assert entry["by"] == person_called(zoras, "helen")
    assert holds(zoras.workspace.feedback, "erased") == {}


def test_sealed_shards_are_reached_too(zoras: Room) -> None:
    person = person_called(zoras, NAME)
    before = openings(zoras)
    theirs = [text for name in (NAME, *FILES, "zora-words") for text in opened(before, name)]
    words = opened(before, TEXTS[1])  # of the withdrawal of one of theirs: about nobody else
    others = [*opened(before, "other.txt"), *opened(before, "Nora Quill")]
    assert theirs
    assert words
    decided = ("--as", "helen", "--key", zoras.key, "--reason")
    zoras.must("pause", *decided, f"{NAME} asked what became of it.")
    zoras.must("resume", *decided, "Answered.")
    zoras.must("backup", zoras.root.parent / "backup")
    mentioned = zoras.must("audit", "show", "--event", "gateway.paused", "--json").json["entries"][0]
    copied = zoras.must("audit", "show", "--event", "backup.made", "--json").json["entries"][0]
    zoras.must("audit", "rotate", "--as", "helen", "--reason", "A new year.")
    [archive] = zoras.workspace.db.glob("log-*.db")
    assert set(holds(zoras.workspace.state, *theirs, *words)) == {*theirs, *words}
    let_go(zoras, person)
    kept = [*openings(zoras), *openings(zoras, of=archive)]
    done = erase(zoras)
    assert done["openings"] == len(kept) + 1 - len(openings(zoras)) - len(openings(zoras, of=archive))  # and the ground
    entry = zoras.must("audit", "show", "--event", "person.erased", "--json").json["entries"][0]
    assert entry["facts"]["openings"] == done["openings"] > len(theirs)
    label = archive.stem.removeprefix("log-")
    assert done["mentions"] == [{"shard": label, "entry": mentioned["i"]}]
    assert [(copy["shard"], copy["entry"]) for copy in done["copies"]] == [(label, copied["i"])]
    gone = [*FILES[1:], "zora-words", "zora-post", TEXTS[1], *theirs, *words]
    assert holds(zoras.workspace.state, *gone) == {}
    assert {str(archive)} == {file for files in holds(archive.parent, *others).values() for file in files}
    zoras.must("audit", "verify")


def test_what_others_wrote_in_a_sealed_shard_is_told_with_its_shard(zoras: Room) -> None:
    person = person_called(zoras, NAME)
    zoras.must("pause", "--as", "helen", "--key", zoras.key, "--reason", f"Ask {NAME}.")
    zoras.must("resume", "--as", "helen", "--key", zoras.key, "--reason", "Asked.")
    number = zoras.must("audit", "show", "--event", "gateway.paused", "--json").json["entries"][0]["i"]
    zoras.must("audit", "rotate", "--as", "helen", "--reason", "A new year.")
    [archive] = zoras.workspace.db.glob("log-*.db")
    let_go(zoras, person)
    said = zoras.must("people", "erase", NAME, "--as", "helen", "--ground", "Request of 1 December.").out
    assert f"{number} of the shard {archive.stem.removeprefix('log-')}" in " ".join(said.split())


def test_what_left_the_device_later_is_erased_by_the_same_command(zoras: Room) -> None:
    person, released = person_called(zoras, NAME), zoras.items()["zora-garden.txt"].item
    let_go(zoras, person)
    erase(zoras)
    assert holds(zoras.workspace.db, "zora-garden")
    answer = zoras.call("people", "erase", person, "--as", "helen", "--ground", "Again.")
    assert (answer.code, "has been erased already" in answer.err) == (1, True)
    zoras.must("withdraw", released, "--as", "helen", "--key", zoras.key, "--reason", "It is over.")
    zoras.gateway()
    checks = {check["name"]: check for check in zoras.call("doctor", "--json").json["checks"]}
    assert person in checks["erasures"]["sentence"]
    zoras.must("people", "erase", person)
    assert holds(zoras.workspace.state, "zora-garden") == {}
    # The name is not used for another file, although nobody knows it any more.
    (zoras.root / "staging" / "open-day" / "zora-garden.txt").write_text("Another one.\n")
    zoras.gateway()
    item = zoras.items()["zora-garden.txt"].item
    zoras.must("approve", item, "--as", "helen", "--key", zoras.key, "--public", "--risk", "low")
    zoras.gateway()
    assert zoras.items()["zora-garden.txt"].released_as == "zora-garden-2.txt"


def test_an_approver_s_words_go_from_other_people_s_files(zoras: Room) -> None:
    nora = person_called(zoras, "Nora Quill")
    zoras.must("people", "disable", "Nora Quill", "--as", "helen", "--key", zoras.key, "--reason", "She left us.")
    words = ("Nora Quill", "She left us.", *opened(openings(zoras), "Nora Quill"))
    zoras.must("people", "erase", "Nora Quill", "--as", "helen", "--ground", "She left.")
    assert holds(zoras.workspace.state, *words) == {}
    zoras.gateway()  # puts the notices up anew
    assert holds(zoras.workspace.feedback, "Nora Quill") == {}
    assert holds(zoras.workspace.feedback, "An approver refused it.")
    zoras.must("audit", "verify")
    told = zoras.must("show", zoras.items()["other.txt"].item).out
    assert nora in told
    assert "Nora Quill" not in told
    assert opened(openings(zoras), NAME)


def test_who_may_still_do_something_is_not_erased(zoras: Room) -> None:
    person = person_called(zoras, NAME)
    ask = ("people", "erase", NAME, "--as", "helen", "--ground", "Request.")
    for prepare, sentence in (
        (lambda: None, "first take their rights"),
        (lambda: zoras.must("people", "disable", NAME), "staging folder in the settings"),
        (lambda: zoras.workspace.settings_file.write_text(
            zoras.workspace.settings_file.read_text().replace(source(zoras, person), "")), "has the name in it"),
    ):  # fmt: skip
        prepare()
        given = ask if "name" not in sentence else (*ask[:-1], f"Request of {NAME}.")
        answer = zoras.call(*given)
        assert answer.code in {1, 2}, answer
        assert sentence.casefold() in answer.err.replace("\n", " ").casefold()
    assert zoras.call("people", "erase", NAME, "--ground", "x").code == 2  # by nobody
    assert zoras.call("people", "erase", NAME, "--as", "sam", "--ground", "x").code == 1  # no operator
    assert zoras.call("people", "erase", NAME, "--as", "helen").code == 2  # on no ground
    assert opened(openings(zoras), NAME)


def test_with_files_on_their_way_nobody_is_erased(room: Room) -> None:
    room.must("people", "add", "Ola", "--role", "submitter")
    text = room.workspace.settings_file.read_text()
    sam, ola = person_called(room, "sam"), person_called(room, "Ola")
    room.must("people", "disable", "sam")
    room.workspace.settings_file.write_text(text.replace(sam, ola))
    answer = room.call("people", "erase", "sam", "--as", "helen", "--ground", "Request.")
    assert answer.code == 1
    assert "are still on their way" in answer.err


def test_copies_from_before_are_told_of_and_kept_ones_go(tmp_path: Path) -> None:
    room = Room(tmp_path / "w")
    lay_out(room.root)
    room.must("backup", tmp_path / "backup")
    assert kept_copy(room.workspace.database, 1).is_file()
    assert holds(room.workspace.state, "Zoë Gone")
    answer = room.must("people", "erase", "Zoë Gone", "--as", "helen", "--ground", "Request.")
    assert "Copies from before still hold the name" in answer.out
    assert "backup of " in answer.out
    assert holds(room.workspace.state, "Zoë Gone") == {}
    assert not kept_copy(room.workspace.database, 1).exists()


def test_a_restore_of_an_older_backup_erases_them_again(zoras: Room, tmp_path: Path) -> None:
    person = person_called(zoras, NAME)
    zoras.must("backup", tmp_path / "backup")
    let_go(zoras, person)
    erase(zoras)
    zoras.publish()
    assert call("restore", tmp_path / "backup", "--to", tmp_path / "again").code == 0
    again = Room(tmp_path / "again")
    gone = [NAME, *FILES[1:], "zora-words", TEXTS[1], *opened(openings(again), NAME)]
    assert set(holds(again.workspace.state, *gone)) == set(gone)
    answer = again.must("audit", "adopt", "--log", zoras.workspace.log)
    assert holds(again.workspace.state, *gone) == {}
    assert person in answer.out
    again.must("audit", "verify")
    restored = again.must("audit", "show", "--event", "backup.restored", "--json").json["entries"][0]
    assert restored["facts"]["erased"] == 1
    again.gateway()
    assert holds(again.workspace.feedback, NAME, *FILES, "erased") == {}
    assert NAME not in again.must("people", "list").out


DIES = """
    import os, signal, sys
    from pathlib import Path
    from transfer.store.database import Database
    from transfer.store.noticeboard import Noticeboard
    from transfer import erasing
    from transfer.store import erasures

    def die(*given, **named):
        os.kill(os.getpid(), signal.SIGKILL)

    where = sys.argv[1]
    if where == "entered":
        erasures.scrub_items = die
    if where == "scrubbed":
        Noticeboard.take_down = die
    if where == "unpurged":
        Database.purge = die
    sys.argv = ["transfer", "people", "erase", sys.argv[3], "--as", "helen", "--ground", "Request.", "-w", sys.argv[2]]
    from transfer.cli.main import main
    main()
"""


@pytest.mark.parametrize("where", ["entered", "scrubbed", "unpurged"])
def test_after_a_kill_the_same_command_finishes_it(zoras: Room, where: str) -> None:
    person = person_called(zoras, NAME)
    let_go(zoras, person)
    command = [sys.executable, "-c", textwrap.dedent(DIES), where, str(zoras.root), NAME]
    assert subprocess.run(command, check=False).returncode == -9
    zoras.must("audit", "verify")
    checks = {check["name"]: check["sentence"] for check in zoras.call("doctor", "--json").json["checks"]}
    assert person in checks["erasures"]
    zoras.must("people", "erase", person)
    assert holds(zoras.workspace.state, NAME, *FILES[1:], "zora-words", "zora-post", TEXTS[1]) == {}
    assert holds(zoras.workspace.feedback, *FILES) == {}
    assert len(zoras.must("audit", "show", "--event", "person.erased", "--json").json["entries"]) == 1


@pytest.mark.timeout(120)
def test_it_works_while_the_gateway_runs(zoras: Room) -> None:
    person = person_called(zoras, NAME)
    let_go(zoras, person)
    zoras.gateway()  # adopts the settings
    command = [sys.executable, "-m", "transfer", "run", "-q", "-w", str(zoras.root)]
    before = starts(zoras)
    stop = threading.Event()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as gateway:
        try:
            while starts(zoras) == before and gateway.poll() is None:
                stop.wait(0.2)
            number = 0

            def drop() -> None:
                nonlocal number
                while not stop.wait(0.05):
                    number += 1
                    (zoras.root / "staging" / "open-day" / f"while-{number}.txt").write_text(f"Number {number}.\n")

            dropping = threading.Thread(target=drop)
            dropping.start()
            done = erase(zoras)
            stop.set()
            dropping.join()
            assert done["person"] == person
            assert gateway.poll() is None
        finally:
            stop.set()
            gateway.terminate()
            assert gateway.wait(60) == 0
    zoras.gateway()
    zoras.must("audit", "verify")
    assert holds(zoras.workspace.state, NAME, *FILES[1:]) == {}
    assert {f"while-{one}.txt" for one in range(1, number + 1)} <= set(zoras.items())
