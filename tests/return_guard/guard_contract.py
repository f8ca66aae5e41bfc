"""What every return guard must do, whatever the device's side is made of. A test class inherits this and says how to
look at that side, and how to plant, alter and remove there.

The line's last stretch is real each time: database, log, sink, post, and the guard in a process of its own.
"""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from tests.release.rig import DEVICE, Side, eventually
from tests.store.pieces import item_id
from transfer.errors import Unavailable
from transfer.release.parcel import MANIFEST_NAME
from transfer.release.send import restore, send
from transfer.release.withdraw import withdraw
from transfer.return_guard.recognise import name_digest
from transfer.store.releases import ReleaseState

GENUINE = b"genuine content"
PHOTO = "photo-1.jpg"


class Beach(Protocol):
    """One device's side with its guard."""

    side: Side

    def there(self) -> dict[str, bytes]:
        """What stands there, the manifest included."""
        ...

    def aside(self) -> list[str]:
        """The names of what lies aside."""
        ...

    def plant(self, name: str, content: bytes) -> None:
        """The device, or somebody else, puts a file there."""
        ...

    def plant_folder(self, name: str) -> None:
        """The same with a folder that has something in it."""
        ...

    def alter(self, name: str, content: bytes) -> None:
        """Somebody changes what stands there."""
        ...

    def remove(self, name: str) -> None:
        """The device removes it."""
        ...

    def kill_guard(self) -> None:
        """At once, by SIGKILL."""
        ...

    def start_guard(self) -> None:
        """Another life of it; returns when it is at work."""
        ...


class GuardContract:
    """`beach` is a fixture of the class that inherits this."""

    @pytest.fixture
    def side(self, beach: Beach) -> Side:
        return beach.side

    def test_what_is_planted_goes_aside_and_is_one_entry_without_its_name(self, beach: Beach, side: Side) -> None:
        beach.plant("back.mp4", b"what the device made")
        beach.plant_folder("more")
        eventually(lambda: beach.there() == {}, within=20)
        side.post.sweep(20)
        assert {kind(entry) for entry in side.entries("return.refused")} == {"file", "folder"}
        for entry in side.entries("return.refused"):
            assert facts(entry)["clauses"] == ["G5"]
            assert facts(entry)["moved_aside"] is True
            assert "back" not in str(entry)
        eventually(lambda: len([name for name in beach.aside() if name.endswith(".done")]) == 2, within=20)

    def test_what_is_released_stays_and_the_manifest_too(self, beach: Beach, side: Side) -> None:
        send(side.approved(1, GENUINE), dispatch=side.dispatch, device=DEVICE)
        side.keeper.renew()
        side.post.sweep(20)
        assert beach.there().keys() == {PHOTO, MANIFEST_NAME.text}
        assert beach.there()[PHOTO] == GENUINE
        assert (beach.aside(), side.entries("return.refused")) == ([], [])
        assert side.entries("release.altered") == side.entries("release.removed") == []

    def test_what_was_altered_goes_aside_is_recorded_and_put_back(self, beach: Beach, side: Side) -> None:
        approved = side.approved(1, GENUINE)
        send(approved, dispatch=side.dispatch, device=DEVICE)
        side.post.sweep(20)
        beach.alter(PHOTO, b"something else")
        eventually(lambda: side.entries("release.altered"), within=20)
        row = side.row(item_id(1))
        assert row is not None
        assert row.state is ReleaseState.ALTERED
        restore(approved, dispatch=side.dispatch)
        side.post.sweep(20)
        assert beach.there() == {PHOTO: GENUINE}
        assert len(side.entries("release.altered")) == len(side.entries("release.restored")) == 1
        assert side.entries("release.removed") == side.entries("return.refused") == []
        assert len(beach.aside()) == 1

    def test_what_the_device_removed_is_recorded_once_and_what_comes_after_is_foreign(
        self, beach: Beach, side: Side
    ) -> None:
        send(side.approved(1, GENUINE), dispatch=side.dispatch, device=DEVICE)
        side.post.sweep(20)
        beach.remove(PHOTO)
        eventually(lambda: side.entries("release.removed"), within=20)
        beach.plant(PHOTO, GENUINE)
        eventually(lambda: side.entries("return.refused"), within=20)
        beach.kill_guard()
        beach.start_guard()
        side.post.sweep(20)
        assert beach.there() == {}
        assert len(side.entries("release.removed")) == len(side.entries("return.refused")) == 1

    def test_what_was_taken_back_is_no_news_and_is_foreign_if_it_comes_again(self, beach: Beach, side: Side) -> None:
        send(side.approved(1, GENUINE), dispatch=side.dispatch, device=DEVICE)
        side.post.sweep(20)
        withdraw(item_id(1), dispatch=side.dispatch)
        assert beach.there() == {}
        side.post.sweep(20)
        assert side.entries("release.removed") == side.entries("return.refused") == []
        beach.plant(PHOTO, GENUINE)
        eventually(lambda: side.entries("return.refused"), within=30)
        assert beach.there() == {}

    def test_the_manifest_is_published_again(self, beach: Beach, side: Side) -> None:
        assert side.keeper.renew() == 1
        side.post.sweep(20)
        genuine = beach.there()[MANIFEST_NAME.text]
        beach.alter(MANIFEST_NAME.text, b"forged")
        eventually(lambda: side.entries("release.altered"), within=20)
        assert side.keeper.renew() == 1
        side.post.sweep(20)
        assert beach.there() == {MANIFEST_NAME.text: genuine}

    def test_without_a_guard_nothing_is_released(self, beach: Beach, side: Side) -> None:
        beach.kill_guard()
        eventually(lambda: not side.post.alive, within=10)
        approved = side.approved(1, GENUINE)
        with pytest.raises(Unavailable) as caught:
            send(approved, dispatch=side.dispatch, device=DEVICE)
        assert caught.value.clauses == ("G5",)
        assert beach.there() == {}
        beach.start_guard()
        send(approved, dispatch=side.dispatch, device=DEVICE)
        assert beach.there() == {PHOTO: GENUINE}

    def test_a_guard_that_was_killed_finds_what_came_meanwhile_and_leaves_what_is_ours(
        self, beach: Beach, side: Side
    ) -> None:
        send(side.approved(1, GENUINE), dispatch=side.dispatch, device=DEVICE)
        beach.kill_guard()
        beach.plant("back.mp4", b"what the device made")
        beach.start_guard()
        side.post.sweep(20)
        assert beach.there() == {PHOTO: GENUINE}
        (entry,) = side.entries("return.refused")
        assert facts(entry)["name_sha256"] == name_digest(b"back.mp4")

    def test_killed_at_any_time_it_tells_everything_and_nothing_twice(self, beach: Beach, side: Side) -> None:
        send(side.approved(1, GENUINE), dispatch=side.dispatch, device=DEVICE)
        for number in range(6):
            beach.plant(f"back-{number}.mp4", b"%d" % number)
            beach.kill_guard()
            beach.start_guard()
        side.post.sweep(30)
        assert beach.there() == {PHOTO: GENUINE}
        digests = [facts(entry)["name_sha256"] for entry in side.entries("return.refused")]
        assert sorted(digests) == sorted(name_digest(b"back-%d.mp4" % number) for number in range(6))
        assert side.entries("release.altered") == side.entries("release.removed") == []


def facts(entry: dict[str, Any]) -> dict[str, Any]:
    return dict(entry["facts"])


def kind(entry: dict[str, Any]) -> str:
    return str(facts(entry)["kind"])
