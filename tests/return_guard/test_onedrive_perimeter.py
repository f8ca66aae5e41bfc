"""What is foreign in OneDrive is moved aside as the version that was looked at, told, kept or removed; never read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.graph.emulator.items import Item
from tests.return_guard.onedrive_rig import ASIDE, HAND, RELEASE, Coast
from transfer.errors import Unavailable
from transfer.graph.faults import Denied, GraphFault
from transfer.graph.records import DriveItem
from transfer.model.states import Kind
from transfer.return_guard.messages import What
from transfer.return_guard.onedrive_perimeter import digest_of, report_of
from transfer.return_guard.onedrive_recognise import Ledger, Standing, judge
from transfer.return_guard.onedrive_view import View
from transfer.return_guard.packets import parse_from_guard, render_message
from transfer.return_guard.perimeter import AsideName
from transfer.return_guard.recognise import name_digest

MOMENT = 1_790_000_000_000


def target(name: str, number: int = 1) -> AsideName:
    return AsideName(MOMENT, f"{number:016x}", name_digest(name.encode()))


def always(_item: DriveItem) -> bool:
    return True


def facts(coast: Coast, item: Item) -> DriveItem:
    found = coast.lister.item(item.id)
    assert found is not None
    return found


def _folder(coast: Coast) -> Item:
    coast.device.put(f"{RELEASE}/thing/deep/er.bin", b"x")
    return coast.drive.item(f"{RELEASE}/thing")


PLANTED: dict[str, tuple[Callable[[Coast], Item], Kind, int]] = {
    "a file": (lambda coast: coast.device.put(f"{RELEASE}/thing", b"planted"), Kind.FILE, 7),
    "an empty file": (lambda coast: coast.device.put(f"{RELEASE}/thing", b""), Kind.FILE, 0),
    "a folder with something in it": (_folder, Kind.FOLDER, 0),
    "a shortcut": (lambda coast: coast.device.shortcut(f"{RELEASE}/thing"), Kind.SHORTCUT, 0),
    "a notebook": (lambda coast: coast.device.package(f"{RELEASE}/thing"), Kind.PACKAGE, 0),
    "an album": (lambda coast: coast.device.bundle(f"{RELEASE}/thing"), Kind.PACKAGE, 0),
    "a kind that is unknown": (lambda coast: coast.device.thing(f"{RELEASE}/thing"), Kind.PACKAGE, 0),
    "an upload under way": (lambda coast: coast.device.begin(f"{RELEASE}/thing", b"part"), Kind.FILE, 4),
}


@pytest.mark.parametrize(("plant", "kind", "size"), PLANTED.values(), ids=PLANTED)
def test_anything_is_moved_aside_by_its_id_and_told_in_a_fixed_shape(
    coast: Coast, plant: Callable[[Coast], Item], kind: Kind, size: int
) -> None:
    item = plant(coast)
    where = target("thing")
    taken = coast.perimeter.move_aside(item.id, where, condemned=always)
    assert taken is not None
    assert coast.drive.names(RELEASE) == []
    assert coast.drive.names(ASIDE) == [where.render()]
    report = report_of(taken, where, What.MOVED)
    assert (report.presence.kind, report.presence.size, report.presence.sha256) == (kind, size, None)
    assert report.presence.name_sha256 == digest_of(taken) == name_digest(b"thing")
    assert parse_from_guard(render_message(report)) == report


def test_by_the_feed_and_the_ledger_exactly_what_is_foreign_goes(coast: Coast) -> None:
    put = [coast.put("film.mp4", b"approved"), coast.put("photo.jpg", b"\xff\xd8approved\xff\xd9", jpeg=True)]
    coast.put("nobody knows of it.mp4", b"x")
    coast.device.put(f"{RELEASE}/planted.mp4", b"planted")
    coast.device.replace(coast.drive.item(f"{RELEASE}/film.mp4"), b"replaced")
    coast.drive.rewrite_jpeg(coast.drive.item(f"{RELEASE}/photo.jpg"))
    ledger, view = Ledger(put), View(coast.lister)
    view.refresh()

    def standing(item: DriveItem) -> Standing:
        return judge(item, ledger=ledger, folder=coast.release.id, hand=HAND)

    said = {str(item.name): standing(item) for item in view}
    assert said.pop("photo.jpg") is Standing.REWRITTEN
    assert set(said.values()) == {Standing.FOREIGN}
    for number, item in enumerate(view):
        if standing(item) is Standing.FOREIGN:
            where = target(str(item.name), number)
            assert coast.perimeter.move_aside(
                item.id, where, condemned=lambda found: standing(found) is Standing.FOREIGN
            )
    assert coast.drive.names(RELEASE) == ["photo.jpg"]
    assert len(coast.drive.names(ASIDE)) == len(said) == 3


def test_what_was_put_right_meanwhile_stays(coast: Coast) -> None:
    item = coast.device.put(f"{RELEASE}/thing", b"planted")
    assert coast.perimeter.move_aside(item.id, target("thing"), condemned=lambda _found: False) is None
    assert coast.drive.names(RELEASE) == ["thing"]


def test_what_changes_under_the_hand_is_looked_at_again(coast: Coast) -> None:
    item = coast.device.put(f"{RELEASE}/thing", b"planted")
    looks: list[int | None] = []

    def condemned(found: DriveItem) -> bool:
        looks.append(found.size)
        if len(looks) == 1:
            coast.device.replace(item, b"planted again")
        return True

    taken = coast.perimeter.move_aside(item.id, target("thing"), condemned=condemned)
    assert looks == [7, 13]
    assert taken is not None
    assert taken.size == 13


def test_what_never_stands_still_is_told_as_stuck(coast: Coast) -> None:
    item = coast.device.put(f"{RELEASE}/thing", b"planted")

    def condemned(_found: DriveItem) -> bool:
        coast.drive.touch(item)
        return True

    with pytest.raises(Unavailable, match="changes faster than it can be moved aside") as raised:
        coast.perimeter.move_aside(item.id, target("thing"), condemned=condemned)
    assert raised.value.clauses == ("G5",)
    assert coast.drive.names(RELEASE) == ["thing"]


def test_what_is_gone_or_elsewhere_is_left_alone(coast: Coast) -> None:
    item = coast.device.put(f"{RELEASE}/thing", b"planted")
    coast.device.move(item, coast.drive.item("TikTok"))
    assert coast.perimeter.move_aside(item.id, target("thing"), condemned=always) is None
    coast.device.remove(item)
    assert coast.perimeter.move_aside(item.id, target("thing"), condemned=always) is None
    assert coast.drive.names(ASIDE) == []


@pytest.mark.parametrize("how", ["cut_before", "cut_after", "cut_body", "timeout", "broken", "throttle_silent"])
def test_a_lost_answer_moves_it_once(coast: Coast, how: str) -> None:
    item = coast.device.put(f"{RELEASE}/thing", b"planted")
    coast.world.fault(how, method="PATCH")
    taken = coast.perimeter.move_aside(item.id, target("thing"), condemned=always)
    assert taken is not None
    assert taken.name == "thing"
    assert coast.drive.names(ASIDE) == [target("thing").render()]


def test_without_the_right_to_move_it_is_said(coast: Coast) -> None:
    item = coast.device.put(f"{RELEASE}/thing", b"planted")
    coast.world.fault("status", method="PATCH", status=403)
    with pytest.raises(Denied):
        coast.perimeter.move_aside(item.id, target("thing"), condemned=always)


def test_an_item_without_a_version_is_left_where_it_is(coast: Coast, monkeypatch: pytest.MonkeyPatch) -> None:
    item = coast.device.put(f"{RELEASE}/thing", b"planted")
    unversioned = replace(facts(coast, item), etag=None)
    monkeypatch.setattr(coast.lister, "item", lambda _item: unversioned)
    with pytest.raises(Unavailable, match="does not say which version"):
        coast.perimeter.move_aside(item.id, target("thing"), condemned=always)
    assert coast.drive.names(RELEASE) == ["thing"]


def test_the_name_aside_says_what_is_still_to_be_told_and_what_may_go(coast: Coast) -> None:
    items = [coast.device.put(f"{RELEASE}/thing {number}", b"planted") for number in range(2)]
    names = [target(item.name, number) for number, item in enumerate(items)]
    for item, name in zip(items, names, strict=True):
        assert coast.perimeter.move_aside(item.id, name, condemned=always)
    coast.drive.by(None).put(f"{ASIDE}/somebody's own.txt", b"-")
    assert {(name, item.id) for name, item in coast.perimeter.unreported()} == {
        (name, item.id) for item, name in zip(items, names, strict=True)
    }
    coast.perimeter.discard(items[0].id, names[0])  # not reported yet: it stays
    coast.perimeter.mark_reported(items[0].id, names[0])
    coast.perimeter.mark_reported(items[0].id, names[0])
    assert [name for name, _item in coast.perimeter.unreported()] == [names[1]]
    assert [name for name, _item in coast.perimeter.reported()] == [names[0]]
    coast.perimeter.discard(items[0].id, names[0])
    coast.perimeter.discard(items[0].id, names[0])
    assert sorted(coast.drive.names(ASIDE)) == sorted([names[1].render(), "somebody's own.txt"])


def test_what_somebody_took_out_of_the_folder_aside_is_not_removed_there(coast: Coast) -> None:
    item = coast.device.put(f"{RELEASE}/thing", b"planted")
    name = target("thing")
    coast.perimeter.move_aside(item.id, name, condemned=always)
    coast.perimeter.mark_reported(item.id, name)
    coast.drive.by(None).move(item, coast.drive.item("TikTok"), name.render(reported=True))
    coast.perimeter.discard(item.id, name)
    assert coast.drive.has(f"TikTok/{name.render(reported=True)}")


def test_with_requests_failing_at_random_all_is_moved_once(coast: Coast) -> None:
    items = [coast.device.put(f"{RELEASE}/thing {number}", b"planted") for number in range(12)]
    coast.world.switch(retry_after=0)
    coast.world.random_faults(0.1, seed=3)
    for _ in range(20):
        if not coast.drive.names(RELEASE):
            break
        for number, item in enumerate(items):
            with contextlib.suppress(GraphFault):
                coast.perimeter.move_aside(item.id, target(item.name, number), condemned=always)
    assert coast.world.faults_met()
    coast.world.no_faults()
    assert coast.drive.names(RELEASE) == []
    assert len(coast.drive.names(ASIDE)) == len(items)
