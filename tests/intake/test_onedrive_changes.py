"""What a drive tells, however awkwardly, and what is known of it after restarts, resyncs, moves and removals."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.intake.drive_place import SAM, Place
from transfer.errors import Unavailable
from transfer.graph.faults import Denied
from transfer.graph.records import parse_item
from transfer.intake.onedrive_tree import Tree, node_of
from transfer.model.drive import Node
from transfer.model.identifiers import SourceId


def fill(place: Place, number: int) -> list[bytes]:
    with place.world.together():
        for each in range(number):
            place.drive.by(SAM).put(f"in/open-day/post-{each % 7}/{each:03}.jpg", b"x%d" % each)
    return sorted(b"open-day/post-%d/%03d.jpg" % (each % 7, each) for each in range(number))


def test_every_awkwardness_at_once_shows_the_same_files(place: Place) -> None:
    place.world.switch(
        page_size=7, delta_shuffle=True, delta_duplicates=0.3, delta_unchanged=0.3, delta_empty_pages=0.4
    )
    expected = fill(place, 60)
    assert place.paths() == expected
    place.drive.by(SAM).remove(place.drive.item("in/open-day/post-0/000.jpg"))
    place.drive.by(SAM).put("in/open-day/new.jpg", b"new")
    assert place.paths() == sorted([*expected[1:], b"open-day/new.jpg"])


def test_a_restart_asks_only_for_what_is_new(place: Place) -> None:
    place.world.switch(page_size=10)
    expected = fill(place, 60)
    assert place.paths() == expected
    place.drive.by(SAM).put("in/open-day/new.jpg", b"new")
    place.world.forget_requests()
    assert place.paths(place.open()) == sorted([*expected, b"open-day/new.jpg"])
    assert place.world.counted("requests") == 1


def test_a_listing_that_was_interrupted_goes_on_where_it_was(place: Place) -> None:
    place.world.switch(page_size=10)
    expected = fill(place, 60)
    place.world.fault("status", path="delta", status=403, code="accessDenied", after=3)
    with pytest.raises(Denied):
        place.paths()
    place.world.forget_requests()
    assert place.paths(place.open()) == expected
    whole = (60 + 10) // 10 + 1
    assert place.world.counted("requests") <= whole - 3 + 1


@pytest.mark.parametrize("code", ["resyncChangesApplyDifferences", "resyncChangesUploadDifferences"])
def test_after_410_all_is_listed_anew_and_what_is_gone_goes(place: Place, code: str) -> None:
    expected = fill(place, 20)
    assert place.paths() == expected
    before = {there.path: there.identity for there in place.source.sightings()}
    place.drive.by(SAM).remove(place.drive.item("in/open-day/post-0/000.jpg"))
    place.world.forget_deltas(code)
    assert place.paths() == expected[1:]
    assert {there.path: there.identity for there in place.source.sightings()}.items() <= before.items()
    assert place.paths(place.open()) == expected[1:], "durably"


def test_endless_resyncs_end_with_a_sentence(place: Place) -> None:
    place.paths()
    place.world.fault("gone", path="delta", times=50)
    with pytest.raises(Unavailable):
        place.paths()
    place.world.no_faults()
    assert place.paths() == []


def test_a_renamed_or_moved_file_is_the_same_arrival_elsewhere(place: Place) -> None:
    item = place.drive.by(SAM).put("in/open-day/x.jpg", b"x")
    before = place.arrival(b"open-day/x.jpg")
    place.drive.by(SAM).rename(item, "y.jpg")
    assert place.source.observe(b"open-day/x.jpg") is None
    assert place.arrival(b"open-day/y.jpg").identity == before.identity
    place.drive.by(SAM).rename(place.drive.item("in/open-day"), "closed-day")
    assert place.paths() == [b"closed-day/y.jpg"], "descendants of a renamed folder are not told of, and found"
    place.drive.by(SAM).move(place.drive.item("in/closed-day/y.jpg"), place.drive.by(SAM).folder("elsewhere"))
    assert place.paths() == []


def test_a_removed_folder_takes_its_files_with_it(place: Place) -> None:
    fill(place, 14)
    assert len(place.paths()) == 14
    place.drive.by(SAM).remove(place.drive.item("in/open-day"))
    assert place.paths() == []


def test_the_root_is_watched_where_a_folder_cannot_be(place: Place) -> None:
    place.world.switch(delta_folder=False)
    expected = fill(place, 20)
    place.drive.by(SAM).put("elsewhere/secret.jpg", b"not ours")
    place.drive.by(SAM).put("top.jpg", b"not ours either")
    source = place.open(watched="root")
    assert place.paths(source) == expected
    whole = place.open(watched="root", folder="root")
    assert b"elsewhere/secret.jpg" in place.paths(whole), "another folder in the settings begins anew"


def test_a_folder_that_cannot_be_watched_says_so(place: Place) -> None:
    place.world.switch(delta_folder=False)
    with pytest.raises(Unavailable):
        place.paths()
    waiting = place.source.waiting()
    assert waiting is not None
    assert "delta" in waiting.why


def test_a_throttled_reader_says_until_when(place: Place) -> None:
    place.world.fault("throttle", path="delta", retry_after=2)
    asking = threading.Thread(target=place.paths)
    asking.start()
    seen = None
    while asking.is_alive() and seen is None:
        seen = place.source.waiting()
        time.sleep(0.01)
    asking.join()
    assert seen is not None
    assert seen.until is not None
    assert "slow down" in seen.why
    assert place.source.waiting() is None


def node(identifier: str, parent: str | None, name: str, kind: str = "file") -> Node:
    return Node(
        id=identifier, parent=parent, name=name, kind=kind, size=1, quickxor="q", modified_ns=1,
        unfinished=False, infected=False,
    )  # fmt: skip


def test_folders_in_a_circle_lead_nowhere() -> None:
    tree = Tree(source=SourceId("staff"), drive="d", folder="in")
    tree.put([node("a", "b", "a", "folder"), node("b", "a", "b", "folder"), node("x", "a", "x.jpg")])
    assert tree.arrivals() == {}


IDS = st.sampled_from(["in", "a", "b", "c", "d", "root"])


@given(
    st.lists(
        st.fixed_dictionaries(
            {"id": IDS, "name": st.text(max_size=6) | st.none(), "parentReference": st.fixed_dictionaries({"id": IDS})},
            optional={"folder": st.just({}), "file": st.just({}), "deleted": st.just({}), "root": st.just({}),
                      "size": st.integers(0, 9), "remoteItem": st.just({})},
        ),
        max_size=12,
    )
)  # fmt: skip
def test_any_story_makes_paths_that_lead_nowhere_else(told: list[dict[str, object]]) -> None:
    tree = Tree(source=SourceId("staff"), drive="d", folder="in")
    for item in map(parse_item, told):
        now = node_of(item)
        if now is None:
            tree.remove([item.id])
        else:
            tree.put([now])
    for path, arrival in tree.arrivals().items():
        assert arrival.path == path
        assert all(step not in {b"", b".", b".."} and b"\0" not in step for step in path.split(b"/"))
        found = tree.node(path)
        assert found is not None
        assert arrival.version is not None
        assert found.id == arrival.version.item
