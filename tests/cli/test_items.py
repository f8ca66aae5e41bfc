"""`transfer status` and `transfer show`: for programs exactly as documented, for people readable in any terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.cli.conftest import LONG
from tests.cli.rooms import Room
from transfer.cli.listing import padded, shortened


def listed(room: Room, *more: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = room.must("status", "--json", *more).json["items"]
    return items


def test_the_document_is_as_designed(studio: Room) -> None:
    document = studio.must("status", "--json").json
    assert set(document) == {"items", "more", "waits"}
    assert document["more"] is False
    states = {item["name"]: item["state"] for item in document["items"]}
    assert states["campus.jpg"] == "held"
    assert states["invoice.exe"] == "refused"
    arrived = [item["arrived_at"] for item in document["items"]]
    assert arrived == sorted(arrived, reverse=True)
    assert next(item for item in document["items"] if item["name"] == "loose.txt")["waiting_for"] == "campaign"
    assert next(item for item in document["items"] if item["name"] == "photo.jpg")["post"] == "post"


def test_filters(studio: Room) -> None:
    everything = listed(studio)
    refused = listed(studio, "--state", "refused")
    assert {item["state"] for item in refused} == {"refused"}
    assert len(refused) == sum(item["state"] == "refused" for item in everything)
    assert listed(studio, "--since", "2099-01-01") == []
    assert listed(studio, "--since", everything[0]["arrived_at"])[0] == everything[0]
    assert listed(studio, "--limit", "2") == everything[:2]
    assert studio.must("status", "--json", "--limit", "2").json["more"] is True
    assert studio.must("status", "--json", "--limit", "2", "--all").json["more"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("status", "--state", "lost"), "There is no state 'lost'"),
        (("status", "--since", "yesterday"), "'yesterday' is no time"),
        (("show", "campus.jpg"), "'campus.jpg' is not well formed"),
    ],
)
def test_a_wrong_word_gets_a_sentence(studio: Room, arguments: tuple[str, ...], said: str) -> None:
    answer = studio.call(*arguments)
    assert answer.code == 2
    assert said in answer.err


def test_an_unknown_item_is_not_found(studio: Room) -> None:
    answer = studio.call("show", "i-00000000")
    assert answer.code == 1
    assert "i-00000000" in answer.err


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_list_fits_the_terminal(studio: Room, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    told = studio.must("status").out
    assert told.isprintable() or all(line.isprintable() for line in told.split("\n"))
    lines = told.splitlines()
    assert max(cell_len(line) for line in lines) <= max(width, 48)
    for item in listed(studio):
        line = next(line for line in lines if line.startswith(item["item"]))
        assert item["state"] in line
    said = " ".join(told.split())
    assert "from sam" in said or "sam, " in said
    assert "Waits for an approver's signature." in said
    assert "There is a protective marking on this file: CONFIDENTIAL" in said


def test_a_long_name_keeps_its_campaign_and_its_ending(studio: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = studio.must("status").out.splitlines()
    line = next(line for line in lines if "…" in line and ".txt" in line and "a very long" in line)
    assert "open-day/a very" in line
    item = next(item["item"] for item in listed(studio) if item["name"].startswith("a very long"))
    assert LONG[:100].removesuffix(".txt")[:60] in " ".join(studio.must("show", item).out.split())


def test_no_name_reaches_the_terminal_raw(studio: Room) -> None:
    told = studio.must("status").out
    for character in ("\x1b", "\u202e", "\r"):
        assert character not in told


def test_what_keeps_everything_back_is_said(studio: Room) -> None:
    assert "No gateway is running here" in studio.must("status").out
    studio.must("pause", "--as", "helen", "--key", studio.key, "--reason", "an incident")
    assert "Releasing is paused by helen since" in " ".join(studio.must("status").out.split())
    assert "paused" not in studio.must("status", "--json").out


def test_an_empty_workspace_says_where_to_drop(tmp_path: Path) -> None:
    from tests.cli.rooms import call

    assert call("init", tmp_path / "w", "--demo").code == 0
    assert "Nothing has been dropped yet into" in call("status", "-w", tmp_path / "w").out
    assert "No item is like that" in call("status", "--state", "held", "-w", tmp_path / "w").out


def test_show_tells_the_whole_life_with_names(room: Room) -> None:
    item = room.items()["released.txt"].item
    told = " ".join(room.must("show", item).out.split())
    for said in (
        "dropped by sam",
        "Taken up «released.txt»:",
        "Examined: text/plain",
        "Rebuilt as text/plain",
        "waits for approval",
        "Approved by helen: PUBLIC, risk to integrity low, for open-day.",
        "Released to ipad as number 1: «released.txt».",
        "The original was removed from staging.",
    ):
        assert said in told, said
    assert "u_" not in told


def test_show_names_the_rest_of_a_post(studio: Room) -> None:
    items = {item["name"]: item["item"] for item in listed(studio)}
    assert f"words.txt ({items['words.txt']})" in studio.must("show", items["photo.jpg"]).out


def test_show_for_programs_has_the_entries_oldest_first(room: Room) -> None:
    item = room.items()["released.txt"].item
    document = room.must("show", item, "--json").json
    assert document["item"]["item"] == item
    events = [entry["event"] for entry in document["entries"]]
    assert events[0] == "file.spooled"
    assert events[-1] == "original.retired"
    assert document["entries"][0]["private"] == {"name": "released.txt"}


def test_an_erased_name_falls_back_to_the_pseudonym(studio: Room) -> None:
    with studio.site() as site, site.db.write() as tx:
        sam = site.desk.directory.named(tx, "sam")
        assert sam is not None
        site.desk.directory.erase_name(tx, sam.person, entry=None)  # type: ignore[arg-type]  # no entry in this test
    assert sam.person in studio.must("status").out


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_what_is_piped_is_one_document_in_any_locale(studio: Room, encoding: str) -> None:
    command = [sys.executable, "-m", "transfer", "status", "--json", "-w", str(studio.root)]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(command, capture_output=True, env=environment, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    import json

    names = {item["name"] for item in json.loads(done.stdout)["items"]}
    assert any("開放日" in name for name in names)


@given(st.text(), st.integers(16, 80))
def test_a_shortened_name_fits(text: str, room: int) -> None:
    short = shortened(text, room)
    assert cell_len(short) <= room
    assert short == text or "…" in short
    assert cell_len(padded(short, room)) >= room or cell_len(short) == cell_len(padded(short, room))
