"""`transfer audit show`: what it finds by which option, here and in a published log, and how it looks."""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.rooms import Answer, Room, call
from tests.cli.test_formats import fits

PSEUDONYM = re.compile(r"u_[0-9a-f]{32}")


def numbers(answer: Answer) -> list[int]:
    assert answer.code == 0, answer
    fits("audit-show", answer.json)
    return [entry["i"] for entry in answer.json["entries"]]


def everything(room: Room) -> list[dict]:
    return room.must("audit", "show", "--limit", "1000", "--json", "--oldest-first").json["entries"]


def both(room: Room, *options: str) -> list[int]:
    """What the workspace finds; the published log finds the same."""
    words = (*options, "--limit", "1000", "--json")
    found = numbers(room.call("audit", "show", *words))
    assert numbers(call("audit", "show", room.root / "log", *words)) == found
    return found


def test_every_option_alone(room: Room) -> None:
    every = everything(room)
    item = room.items()["released.txt"]
    helen = next(entry["by"] for entry in every if entry["event"] == "file.approved")

    def those(fitting) -> list[int]:
        return [entry["i"] for entry in reversed(every) if fitting(entry)]

    own = those(lambda entry: entry.get("item") == item.item)
    signed = those(lambda entry: entry["event"] == "statement.accepted" and item.item in entry["facts"]["statement"])
    about = sorted({*own, *signed}, reverse=True)
    assert len(signed) == 1
    assert len(own) >= 8
    assert both(room, "--item", item.item) == about
    assert item.sha256 is not None
    for text in (item.sha256, item.sha256[:8], item.sha256[:20].upper(), item.sha256[:8] + "…"):
        assert both(room, "--sha256", text) == about
    assert both(room, "--event", "file.released") == those(lambda entry: entry["event"] == "file.released")
    assert both(room, "--event", "file") == those(lambda entry: entry["event"].startswith("file."))
    by_helen = both(room, "--person", helen)
    assert by_helen == those(lambda entry: helen in str(entry))
    assert both(room, "--person", helen[:10]) == by_helen
    for name in ("helen", "Helen", " HELEN"):
        assert numbers(room.must("audit", "show", "--person", name, "--limit", "1000", "--json")) == by_helen
    campaign = both(room, "--campaign", "open-day")
    assert set(campaign) > {*own, *signed}
    assert [every[index]["event"] for index in campaign if "item" not in every[index]][-2:] == [
        "campaign.approved",
        "campaign.proposed",
    ]
    cited = both(room, "--clause", "G6")
    assert {every[index]["event"] for index in cited} == {"file.held"}
    assert both(room, "--clause", "g6") == cited
    assert both(room, "--clause", "G12") == []
    assert numbers(room.must("audit", "show", "--name", "RELEASED", "--limit", "1000", "--json")) == about
    assert both(room, "--since", "2999-01-01") == both(room, "--until", "2000-01-01") == []
    day = every[0]["at"][:10]
    assert both(room, "--since", day) == those(lambda entry: True)
    at = every[9]["at"]
    assert both(room, "--since", at) == those(lambda entry: entry["at"] >= at)
    assert both(room, "--until", at) == those(lambda entry: entry["at"] <= at)
    assert both(room, "--oldest-first") == [entry["i"] for entry in every]


def test_options_together(room: Room) -> None:
    item = room.items()["released.txt"]
    words = ("--campaign", "open-day", "--event", "file.held", "--clause", "G6", "--item", item.item)
    assert len(both(room, *words)) == 1
    assert both(room, *words, "--event", "file.held", "--until", "2000-01-01") == []
    assert len(both(room, "--campaign", "open-day", "--event", "file.held", "--event", "file.released")) == 5
    assert both(room, "--campaign", "open-day", "--person", "u_" + "0" * 32) == []


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--json", "--csv"), 2, "two different outputs"),
        (("--sha256", "abc"), 2, "no beginning of one"),
        (("--sha256", "xyzxyzxyz"), 2, "no beginning of one"),
        (("--item", "7"), 2, "not well formed"),
        (("--event", "file.relased"), 2, "Did you mean file.released"),
        (("--clause", "G13"), 2, "has no clause"),
        (("--since", "yesterday"), 2, "is no time"),
        (("--since", "0001-01-01T00:00:00+14:00"), 2, "is no time"),
        (("--since", "2026-02-01", "--until", "2026-01-01"), 2, "is after"),
        (("--person", "u_12"), 2, "too short"),
        (("--person", "nobody"), 1, "Nobody is known here by the name"),
        (("--campaign", "No Such"), 2, "not well formed"),
        (("--limit", "0"), 2, "limit"),
    ],
)
def test_what_cannot_be_asked_gets_a_sentence(room: Room, options: tuple[str, ...], code: int, said: str) -> None:
    answer = room.call("audit", "show", *options)
    assert answer.code == code
    assert said in answer.err


@pytest.mark.parametrize("option", ["--name", "--person"])
def test_names_are_not_in_a_published_log(room: Room, option: str) -> None:
    answer = call("audit", "show", room.root / "log", option, "sam")
    assert answer.code == 2
    assert "A published log has no names" in answer.err


def test_a_published_log_shows_no_name(room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = shutil.copytree(room.root / "log", tmp_path / "elsewhere" / "copy")
    monkeypatch.chdir(log.parent)
    answer = call("audit", "show", log, "--limit", "1000")
    assert answer.code == 0
    assert "tells whether it is genuine" in answer.err
    assert "Taken up: 27 bytes, dropped by u_" in " ".join(answer.out.split())
    for name in ("sam", "helen", "released.txt", "(erased)"):
        assert name not in answer.out
    assert not PSEUDONYM.search(answer.out)  # their beginnings do, and can be asked for
    item = room.items()["released.txt"].item
    assert "Released to ipad as number 1." in call("audit", "show", log, "--item", item).out


def test_the_life_of_an_item(room: Room) -> None:
    item = room.items()["released.txt"].item
    out = room.must("audit", "show", "--item", item).out
    head, _, steps = out.partition("\n\n")
    assert head.splitlines()[0] == f"{item}  released.txt  (campaign open-day)"
    assert "entries of the transfer log, over" in head
    told = " ".join(steps.split())
    order = [
        "Taken up «released.txt»",
        "Examined:",
        "Rebuilt as",
        "rule approval [G1, G6, G7]",
        "Signed approval by helen",
        "Approved by helen",
        "begins",
        "Released to ipad",
        "The original was removed",
    ]
    assert [told.index(words) for words in order] == sorted(told.index(words) for words in order)
    lines = [line for line in steps.splitlines() if re.match(r" +\d+  \d\d:\d\d:\d\d ", line)]
    assert len(lines) == len(order)
    assert all(re.search(r" \+\d[\d.hms]+  ", line) for line in lines[1:])
    assert room.must("audit", "show", "--item", item, "--limit", "2").out.count("There are more than these 2") == 1
    assert "the last 2 entries" in room.must("audit", "show", "--item", item, "--limit", "2").out
    assert "No entry fits." in room.must("audit", "show", "--item", "i-00000000").out


def test_a_life_whose_index_hides_an_entry_is_not_told(room: Room) -> None:
    item = room.items()["released.txt"].item
    with room.site() as site, site.db.write() as tx:
        hidden = f"SELECT i FROM audit_index WHERE item = '{item}' AND event = 'file.rebuilt'"
        tx.connection.exec_driver_sql(f"UPDATE audit_index SET item = NULL WHERE i = ({hidden})")
    answer = room.call("audit", "show", "--item", item)
    assert answer.code == 4
    assert "as the one before it" in answer.err
    assert room.call("audit", "verify").code == 4
    told = room.must("audit", "reindex").out
    assert ", 1 were not indexed as they are" in told
    assert "nothing was changed" in room.must("audit", "reindex").out
    assert room.must("audit", "verify").code == 0
    room.must("audit", "show", "--item", item)
    fits("audit-reindex", room.must("audit", "reindex", "--json").json)


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits_the_terminal(studio: Room, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", str(width))
    lines = studio.must("audit", "show", "--limit", "1000").out.splitlines()
    assert max(map(cell_len, lines)) <= width
    assert not any(line.endswith(" ") for line in lines)
    assert ("event" in lines[0].split()) == (width == 120)
    assert any("Refused" in line for line in lines)
    item = studio.must("status", "--json").json["items"][0]["item"]
    assert max(map(cell_len, studio.must("audit", "show", "--item", item).out.splitlines())) <= width


def test_nothing_reaches_the_terminal_raw(room: Room) -> None:
    item = room.items()["held.txt"].item
    reason = "no\x1b[31m \u202eevil\u2069 \x07 [red]bold[/red]\r\nsecond line"
    room.must("refuse", item, "--as", "helen", "--key", room.key, "--reason", reason)
    for options in ((), ("--item", item), ("--csv",)):
        out = room.must("audit", "show", *options).out
        assert "[red]bold[/red]" in out
        assert all(character.isprintable() or character in "\r\n" for character in out)
        assert "\r" not in out.replace("\r\n", "") or options != ("--csv",)


def test_what_was_erased_is_said(room: Room) -> None:
    with room.site() as site, site.db.write() as tx:
        tx.connection.exec_driver_sql("DELETE FROM audit_disclosure")
    out = " ".join(room.must("audit", "show", "--event", "file.spooled").out.split())
    assert "Taken up (erased): 27 bytes, dropped by sam." in out
    assert ".txt" not in out


def on_a_terminal(room: Room, **environment: str) -> str:
    """What the command writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "transfer", "audit", "show", "--event", "file.released", "-w", str(room.root)]
    known = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "FORCE_COLOR", "COLUMNS"}}
    with subprocess.Popen(
        command, stdout=theirs, stderr=theirs, env=known | {"TERM": "xterm-256color", "COLUMNS": "80"} | environment
    ) as process:
        os.close(theirs)
        written = b""
        try:
            while part := os.read(ours, 4096):
                written += part
        except OSError:  # the other end is closed
            pass
        os.close(ours)
    assert process.returncode == 0
    return written.decode()


def test_colours_are_for_terminals_that_want_them(room: Room) -> None:
    assert "\x1b[32mReleased" in on_a_terminal(room)
    plain = on_a_terminal(room, NO_COLOR="1")
    assert "Released" in plain
    assert "\x1b[3" not in plain
    assert "\x1b" not in room.must("audit", "show").out


def test_text_in_a_locale_without_letters(room: Room) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for options in ((), ("--csv",), ("--item", room.items()["released.txt"].item)):
        command = [sys.executable, "-m", "transfer", "audit", "show", *options, "-w", str(room.root)]
        done = subprocess.run(command, capture_output=True, env=environment, check=False)
        assert done.returncode == 0, done
        assert b"released.txt" in done.stdout
