"""The guard's picture of a release folder, made from an awkward feed and compared with the folder itself."""

from __future__ import annotations

import random

import pytest

from tests.return_guard.onedrive_rig import RELEASE, Coast
from transfer.graph.faults import GraphFault, NotThere
from transfer.return_guard.onedrive_view import View


def seen(view: View) -> list[str]:
    return sorted(str(item.name) for item in view)


def test_it_follows_the_folder(coast: Coast) -> None:
    view = View(coast.lister)
    assert not view.complete
    view.refresh()
    assert view.complete
    assert seen(view) == []
    first = coast.writer.put(f"{RELEASE}/one.mp4", b"1")
    coast.device.put(f"{RELEASE}/deep/er/two.mp4", b"2")
    view.refresh()
    assert seen(view) == ["deep", "one.mp4"]
    coast.device.rename(first, "renamed.mp4")
    view.refresh()
    assert seen(view) == ["deep", "renamed.mp4"]
    coast.device.move(first, coast.drive.item(f"{RELEASE}/deep"))
    coast.device.remove(coast.drive.item(f"{RELEASE}/deep/er"))
    view.refresh()
    assert seen(view) == ["deep"]


def test_neither_the_folder_nor_what_lies_above_it_is_in_it(coast: Coast) -> None:
    coast.drive.by(None).put("TikTok/beside.txt", b"-")
    coast.writer.put(f"{RELEASE}/one.mp4", b"1")
    view = View(coast.lister)
    view.refresh()
    assert seen(view) == ["one.mp4"]


@pytest.mark.parametrize("code", ["resyncChangesApplyDifferences", "resyncChangesUploadDifferences"])
def test_a_new_listing_forgets_what_it_does_not_tell_of(coast: Coast, code: str) -> None:
    gone = coast.writer.put(f"{RELEASE}/gone.mp4", b"1")
    coast.writer.put(f"{RELEASE}/stays.mp4", b"2")
    view = View(coast.lister)
    view.refresh()
    coast.device.remove(gone)
    coast.world.forget_deltas(code)
    view.refresh()
    assert seen(view) == ["stays.mp4"]


def test_a_listing_that_breaks_off_goes_on_where_it_was(coast: Coast) -> None:
    coast.world.switch(page_size=2)
    for number in range(9):
        coast.writer.put(f"{RELEASE}/{number}.mp4", b"x")
    view = View(coast.lister)
    coast.world.fault("status", path="/delta", status=403, after=2)
    with pytest.raises(GraphFault):
        view.refresh()
    assert not view.complete
    before = len(coast.world.asked())
    view.refresh()
    assert seen(view) == [f"{number}.mp4" for number in range(9)]
    assert len(coast.world.asked()) - before < 9


def test_a_folder_that_is_gone_is_a_fault_and_not_an_empty_folder(coast: Coast) -> None:
    coast.writer.put(f"{RELEASE}/one.mp4", b"1")
    view = View(coast.lister)
    coast.drive.by(None).remove(coast.release)
    with pytest.raises(NotThere):
        view.refresh()
    assert not view.complete


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_feed_does_the_picture_is_right_in_the_end(coast: Coast, seed: int) -> None:
    coast.world.switch(
        seed=seed,
        page_size=3,
        delta_shuffle=True,
        delta_duplicates=0.3,
        delta_unchanged=0.3,
        delta_empty_pages=0.3,
        links="function" if seed % 2 else "query",
    )
    chance = random.Random(seed)
    view = View(coast.lister)
    deep = coast.device.folder(f"{RELEASE}/deep")
    standing = []
    for step in range(12):
        for _ in range(chance.randrange(4)):
            match chance.randrange(4):
                case 0 | 1:
                    standing.append(coast.device.put(f"{RELEASE}/{step}-{chance.random()}.bin", b"x"))
                case 2 if standing:
                    coast.device.remove(standing.pop(chance.randrange(len(standing))))
                case 3 if standing:
                    where = chance.choice([deep, coast.aside])
                    coast.device.move(standing.pop(chance.randrange(len(standing))), where)
        if chance.random() < 0.2:
            coast.world.forget_deltas()
        view.refresh()
        assert seen(view) == sorted(coast.drive.names(RELEASE))
