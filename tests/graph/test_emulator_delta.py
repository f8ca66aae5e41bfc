"""The delta of the emulator tells everything, in every awkward way that the real one may tell it."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.identities import application, person
from tests.graph.plain import Asking

SAM = person("Sam")


@pytest.fixture
def drive(emulator: Emulator) -> Drive:
    drive = emulator.world.drive("staging")
    emulator.world.sign_in("reader", application("Reader"))
    emulator.world.allow("reader", "read", drive)
    return drive


@pytest.fixture
def ask(emulator: Emulator) -> Asking:
    return Asking(emulator, "reader")


def last(entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The last word on each item, as clients must take it."""
    return {entry["id"]: entry for entry in entries}


@pytest.mark.parametrize(
    "spelling",
    [
        "/drives/{d}/root/delta",
        "/drives/{d}/root/delta()",
        "//drives/{d}//items/root/delta",
        "/drives/{d}/items/{root}/microsoft.graph.delta()",
        "/drives/{d}/items/{root}/delta(token='')",
        "/drives('{d}')/items('{root}')/delta",
    ],
)
def test_however_it_is_spelt(ask: Asking, drive: Drive, spelling: str) -> None:
    drive.by(SAM).put("a.jpg", b"x")
    page = ask.json(spelling.format(d=quote(drive.id), root=drive.item().id))
    assert [entry["name"] for entry in page["value"]] == ["root", "a.jpg"]


def test_an_entry_has_no_ctag_and_no_path(ask: Asking, drive: Drive) -> None:
    made = drive.by(SAM).put("in/a.jpg", b"x")
    entry = last(ask.json(f"/drives/{drive.id}/root/delta")["value"])[made.id]
    assert "cTag" not in entry
    assert entry["parentReference"] == {
        "driveId": drive.id, "driveType": "documentLibrary", "id": drive.item("in").id,
    }  # fmt: skip
    assert entry["eTag"] == made.etag_header


def test_deleted_items_have_no_name_and_a_hash_of_nothing(ask: Asking, drive: Drive) -> None:
    made = drive.by(SAM).put("in/a.jpg", b"x")
    _, link = ask.enumerate(f"/drives/{drive.id}/root/delta")
    drive.by(SAM).remove(drive.item("in"))
    found, link = ask.enumerate(link)
    assert last(found)[made.id]["file"]["hashes"]["quickXorHash"] == "AAAAAAAAAAAAAAAAAAAAAAAAAAA="
    assert "name" not in last(found)[made.id]
    assert len([entry for entry in found if "deleted" in entry]) == 2
    assert ask.enumerate(link)[0] == []


def test_latest_and_a_time_begin_in_the_present(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    drive.by(SAM).put("a.jpg", b"x")
    page = ask.json(f"/drives/{drive.id}/root/delta?token=latest")
    assert page["value"] == []
    moment = datetime.now(UTC) + timedelta(seconds=5)
    emulator.world.later(10)
    made = drive.by(SAM).put("b.jpg", b"x")
    assert made.id in last(ask.enumerate(page["@odata.deltaLink"])[0])
    found = ask.json(f"/drives/{drive.id}/root/delta?token={quote(moment.isoformat())}")["value"]
    assert [entry["name"] for entry in found] == ["root", "b.jpg"]


def test_ancestors_come_along_unless_they_are_excluded(ask: Asking, drive: Drive) -> None:
    drive.by(SAM).folder("in/autumn")
    _, link = ask.enumerate(f"/drives/{drive.id}/root/delta")
    drive.by(SAM).put("in/autumn/a.jpg", b"x")
    assert [entry["name"] for entry in ask.json(link)["value"]] == ["root", "in", "autumn", "a.jpg"]
    few = ask.json(link, headers={"deltaExcludeParent": "true"})["value"]
    assert [entry["name"] for entry in few] == ["root", "a.jpg"]


@pytest.mark.parametrize("code", ["resyncChangesApplyDifferences", "resyncChangesUploadDifferences"])
def test_old_tokens_are_gone_and_a_new_enumeration_is_named(
    ask: Asking, drive: Drive, emulator: Emulator, code: str
) -> None:
    drive.by(SAM).put("a.jpg", b"x")
    _, link = ask.enumerate(f"/drives/{drive.id}/root/delta")
    emulator.world.forget_deltas(code)
    answer = ask("GET", link)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, code)
    found, link = ask.enumerate(answer.headers["Location"])
    assert [entry["name"] for entry in found] == ["root", "a.jpg"]
    assert ask("GET", link).status_code == 200


def test_the_delta_of_a_folder_tells_only_what_is_below_it(ask: Asking, drive: Drive) -> None:
    hand = drive.by(SAM)
    inside, outside = hand.put("in/post/a.jpg", b"x"), hand.put("elsewhere/post/b.jpg", b"x")
    found, link = ask.enumerate(f"/drives/{drive.id}/items/{drive.item('in').id}/delta")
    assert [entry["name"] for entry in found] == ["in", "post", "a.jpg"]
    hand.move(drive.item("in/post"), drive.item(), "taken away")
    hand.move(drive.item("elsewhere/post"), drive.item("in"))
    found, link = ask.enumerate(link)
    assert "deleted" in last(found)[inside.id]  # it left with its folder
    assert last(found)[outside.id]["name"] == "b.jpg"  # it entered with its folder
    hand.replace(inside, b"y")
    hand.remove(outside)
    found, _ = ask.enumerate(link)
    assert all("deleted" in entry for entry in found if entry["id"] in {inside.id, outside.id})


def test_the_delta_of_a_folder_can_be_refused(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    drive.by(SAM).folder("in")
    emulator.world.switch(delta_folder=False)
    assert ask("GET", f"/drives/{drive.id}/items/{drive.item('in').id}/delta").status_code == 501


def test_what_was_selected_at_the_beginning_stays_selected(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    for number in range(4):
        drive.by(SAM).put(f"{number}.jpg", b"x")
    found, _ = ask.enumerate(f"/drives/{drive.id}/root/delta?$select=name,file&$top=2")
    assert len(emulator.world.asked(path="delta")) == 3
    assert all(set(entry) <= {"id", "name", "file", "root"} for entry in found)


def test_a_change_may_be_told_late(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    _, link = ask.enumerate(f"/drives/{drive.id}/root/delta")
    emulator.world.switch(delta_lag=30.0)
    made = drive.by(SAM).put("a.jpg", b"x")
    found, link = ask.enumerate(link)
    assert found == []
    emulator.world.later(31)
    assert made.id in last(ask.enumerate(link)[0])


def test_an_item_that_changes_during_an_enumeration_is_not_lost(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    emulator.world.switch(page_size=2)
    items = [drive.by(SAM).put(f"{number}.jpg", b"x") for number in range(6)]
    page = ask.json(f"/drives/{drive.id}/root/delta")
    drive.by(SAM).rename(items[5], "renamed.jpg")
    drive.by(SAM).rename(items[0], "also.jpg")
    found, link = ask.enumerate(page["@odata.nextLink"])
    found += ask.enumerate(link)[0]
    assert last(found)[items[5].id]["name"] == "renamed.jpg"
    assert last(found)[items[0].id]["name"] == "also.jpg"


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("scope", ["root", "in"])
def test_however_awkward_a_mirror_built_from_it_is_true(
    ask: Asking, drive: Drive, emulator: Emulator, seed: int, scope: str
) -> None:
    """Random work in a drive, followed by delta alone with every switch on: the mirror has what the drive has."""
    emulator.world.switch(
        seed=seed, page_size=3, delta_shuffle=bool(seed % 3), delta_duplicates=0.3, delta_empty_pages=0.3,
        delta_unchanged=0.5, links="function" if seed % 2 else "query",
    )  # fmt: skip
    draw, hand = random.Random(seed), drive.by(SAM)
    top = hand.folder("in")
    place = "root" if scope == "root" else f"items/{top.id}"
    link, mirror = f"/drives/{drive.id}/{place}/delta", {}
    for _ in range(8):
        for _ in range(draw.randrange(12)):
            work(draw, drive)
        found, link = ask.enumerate(link)
        for identifier, entry in last(found).items():
            mirror.pop(identifier, None)
            if "deleted" not in entry:
                mirror[identifier] = (entry["name"], entry["parentReference"].get("id"), entry["eTag"])
        start = drive.item() if scope == "root" else top
        below = drive.service.tree.below(start)
        truth = {id_: drive.service.tree.item(drive.id, id_) for id_ in below}
        assert mirror == {id_: (item.name, item.parent, item.etag_header) for id_, item in truth.items()}


def work(draw: random.Random, drive: Drive) -> None:
    """Something that somebody does in a drive."""
    hand, tree = drive.by(SAM), drive.service.tree
    items = [tree.item(drive.id, id_) for id_ in tree.below(drive.item())]
    folders = [item for item in items if item.kind == "folder"]
    others = [item for item in items if item.parent is not None and item.name != "in"]
    name, folder = f"{draw.randrange(10**9)}.jpg", draw.choice(folders)
    what = draw.choice(["file", "file", "folder", "rename", "move", "move", "remove", "replace"])
    if what == "file":
        hand.finish(tree.create(folder, name, "file", SAM), b"x")
    elif what == "folder":
        tree.create(folder, f"folder {name}", "folder", SAM)
    elif others:
        item = draw.choice(others)
        if what == "rename":
            hand.rename(item, name)
        elif what == "move" and item.id not in {folder.id, *(above.id for above in tree.ancestors(folder))}:
            hand.move(item, folder, name)
        elif what == "remove":
            hand.remove(item)
        elif item.kind == "file":
            hand.replace(item, name.encode())
