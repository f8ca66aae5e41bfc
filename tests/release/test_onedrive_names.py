"""Whatever a sender's file is called, its release has a name that OneDrive takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.graph.emulator.items import check_name
from tests.release.onedrive_rig import PLACE, End, Shore
from tests.release.sink_contract import parcel_of
from transfer.graph.verbs import CREATE_UPLOAD, NAMED_ITEM
from transfer.model.names import safe_name
from transfer.release.onedrive_names import onedrive_name

ODD = [
    "photo.jpg", "100%25 off.jpg", "%2e%2e.jpg", "50% of it.jpg", "a_VTI_b.png", "Desktop.ini", "com0.jpg", "lpt0",
    "forms", "Größe – 本.mp4", "a#b&c+d=e;f@g!h$i(j),k'l.jpg", "~$lock.txt", ".lock", "x" * 200 + ".jpg",
]  # fmt: skip


@given(st.sampled_from(ODD) | st.text(max_size=120), st.integers(2, 10_000))
def test_every_name_is_one_that_the_service_and_our_transport_take(untrusted: str, number: int) -> None:
    name = onedrive_name(safe_name(untrusted))
    for one in (name, name.numbered(number)):
        check_name(one.text)
        assert NAMED_ITEM.path.fullmatch(f"/drives/b!1/items/01X:/{one.text}:")
        assert CREATE_UPLOAD.path.fullmatch(f"/drives/b!1/items/01X:/{one.text}:/createUploadSession")
    assert onedrive_name(name) == name


@pytest.mark.parametrize("untrusted", ["photo.jpg", "50% of it.jpg", "Größe – 本.mp4", "a#b&c+d=e;f@g!h$i(j),k'l.jpg"])
def test_a_name_that_may_stay_stays(untrusted: str) -> None:
    assert onedrive_name(safe_name(untrusted)) == safe_name(untrusted)


@pytest.mark.parametrize("untrusted", ODD)
def test_it_arrives_under_exactly_that_name_and_is_found_by_it(shore: Shore, end: End, untrusted: str) -> None:
    name = onedrive_name(safe_name(untrusted))
    end.sink.put(parcel_of(b"content", name=name.text))
    assert shore.drive.names(PLACE) == [name.text]
    found = end.writer.named(name)
    assert found is not None
    assert found.name == name.text
    assert end.recaller.recall(name) is True
