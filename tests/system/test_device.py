"""Nothing goes to a device that is not enrolled (G2); what is approved waits until one is."""

from __future__ import annotations

from tests import samples
from tests.system.place import Place, running, wait_for
from transfer.model.states import State


def test_nothing_is_released_to_a_disabled_device(place: Place) -> None:
    place.must("device", "disable", "ipad")
    with running(place) as gateway:
        place.drop("photo.jpg", samples.jpeg(64, 64))
        wait_for(lambda: place.rows() and place.by_name("photo.jpg").state is State.HELD, 20, "the verdict")
        place.approve_all()
        wait_for(lambda: "The device ipad has been disabled" in gateway.complained(), 20, "the sentence")
        assert place.by_name("photo.jpg").state is State.APPROVED
        assert not (place.release / "photo.jpg").exists()
        assert place.entries("file.releasing") == []

    place.must("device", "add", "phone")
    place.set("release", device='"phone"')
    with running(place):
        wait_for(lambda: place.by_name("photo.jpg").state is State.RELEASED, 30, "the release")
    assert [entry["facts"]["device"] for entry in place.entries("file.released")] == ["phone"]
    place.verify()
