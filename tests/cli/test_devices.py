"""`transfer device`: an identifier is enrolled once, and disabling it is said with what follows."""

from __future__ import annotations

from typing import Any

from tests.cli.rooms import Room


def devices(room: Room) -> dict[str, dict[str, Any]]:
    return {one["device"]: one for one in room.must("device", "list", "--json").json["devices"]}


def test_add_and_disable(room: Room) -> None:
    told = room.must("device", "add", "phone-2", "--label", "The red phone").out
    assert 'device = "phone-2"' in told
    assert devices(room)["phone-2"]["label"] == "The red phone"
    room.must("device", "disable", "phone-2")
    assert devices(room)["phone-2"]["disabled_at"] is not None


def test_the_list_says_which_one_is_released_to(room: Room) -> None:
    assert devices(room)["ipad"]["in_use"] is True
    assert "released to" in room.must("device", "list").out


def test_disabling_the_one_in_use_says_what_follows(room: Room) -> None:
    assert "nothing is released" in room.must("device", "disable", "ipad").out
    assert "disabled" in room.must("device", "list").out


def test_what_is_not_so(room: Room) -> None:
    twice = room.call("device", "add", "ipad")
    assert twice.code == 1
    assert "There is a device ipad already" in twice.err
    unknown = room.call("device", "disable", "tablet")
    assert unknown.code == 1
    assert "The device tablet is not enrolled" in unknown.err
    room.must("device", "disable", "ipad")
    again = room.call("device", "disable", "ipad")
    assert again.code == 1
    assert "has been disabled" in again.err
    assert room.call("device", "add", "My iPad").code == 2
