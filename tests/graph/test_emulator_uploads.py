"""Upload sessions of the emulator keep every rule of the real ones, and simple uploads their habits."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator, EmulatorProcess
from tests.graph.emulator.identities import application, person
from tests.graph.emulator.items import Item
from tests.graph.plain import Asking

STEP = 327_680
SAM, WRITER = person("Sam"), application("Writer")


@pytest.fixture
def drive(emulator: Emulator) -> Drive:
    drive = emulator.world.drive("release")
    emulator.world.sign_in("writer", WRITER)
    emulator.world.allow("writer", "write", drive)
    return drive


@pytest.fixture
def folder(drive: Drive) -> Item:
    return drive.by(SAM).folder("out")


@pytest.fixture
def ask(emulator: Emulator) -> Asking:
    return Asking(emulator, "writer")


def begin(ask: Asking, folder: Item, name: str = "a.mp4", **asked: Any) -> str:
    """The address of a new session."""
    item = {"@microsoft.graph.conflictBehavior": asked.pop("behaviour", "fail"), **asked.pop("item", {})}
    answer = ask(
        "POST", f"/drives/{folder.drive}/items/{folder.id}:/{name}:/createUploadSession", json={"item": item, **asked}
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["uploadUrl"])


def put(ask: Asking, url: str, content: bytes, first: int, last: int, **headers: str) -> httpx.Response:
    """A fragment."""
    ends = f"bytes {first}-{last}/{len(content)}"
    return ask("PUT", url, content=content[first : last + 1], headers={"Content-Range": ends, **headers})


def test_a_file_comes_in_fragments_and_shows_only_at_the_end(ask: Asking, drive: Drive, folder: Item) -> None:
    content = bytes(range(256)) * 3000
    url = begin(ask, folder, item={"fileSize": len(content), "name": "a.mp4"})
    assert put(ask, url, content, 0, STEP - 1).json()["nextExpectedRanges"] == [f"{STEP}-"]
    assert put(ask, url, content, STEP, 2 * STEP - 1).status_code == 202
    assert drive.names("out") == []
    assert ask("GET", url).json()["nextExpectedRanges"] == [f"{2 * STEP}-"]
    answer = put(ask, url, content, 2 * STEP, len(content) - 1)
    assert answer.status_code == 201
    assert answer.json()["createdBy"] == {"application": WRITER.json()}
    assert drive.content("out/a.mp4") == content
    assert ask("GET", url).status_code == 404


def test_ranges_may_be_told_closed(ask: Asking, folder: Item, emulator: Emulator) -> None:
    emulator.world.switch(ranges="closed")
    content = bytes(2 * STEP)
    answer = put(ask, begin(ask, folder), content, 0, STEP - 1)
    assert answer.json()["nextExpectedRanges"] == [f"{STEP}-{2 * STEP - 1}"]


def test_fragments_have_their_rules(ask: Asking, folder: Item, drive: Drive, emulator: Emulator) -> None:
    content = bytes(3 * STEP)
    url = begin(ask, folder)
    assert put(ask, url, content, 0, 999).status_code == 400  # no multiple of 320 KiB
    assert put(ask, url, content, STEP, 2 * STEP - 1).status_code == 416  # not the first
    assert put(ask, url, content, 0, STEP - 1).status_code == 202
    assert put(ask, url, content, 0, STEP - 1).status_code == 416  # again
    assert put(ask, url, content[:-1], STEP, 2 * STEP - 1).status_code == 400  # another length
    assert ask("PUT", url, content=b"x").status_code == 400  # no range
    answer = ask("PUT", url, content=b"xy", headers={"Content-Range": f"bytes {STEP}-{2 * STEP - 1}/{3 * STEP}"})
    assert answer.status_code == 400  # fewer bytes than the range
    assert put(ask, url, content, STEP, 2 * STEP - 1, Authorization="Bearer writer").status_code == 401
    assert emulator.world.counted("leaked_authorization") == 1
    assert put(ask, url, content, STEP, 3 * STEP - 1).status_code == 201


def test_a_fragment_has_a_limit(ask: Asking, folder: Item) -> None:
    content = bytes(193 * STEP)
    assert put(ask, begin(ask, folder), content, 0, len(content) - 1).status_code == 413


def test_a_session_takes_no_empty_file_but_a_simple_upload_does(ask: Asking, folder: Item, drive: Drive) -> None:
    answer = ask("PUT", begin(ask, folder), headers={"Content-Range": "bytes 0-0/0"})
    assert answer.status_code == 400
    answer = ask("PUT", f"/drives/{drive.id}/items/{folder.id}:/empty.txt:/content")
    assert (answer.status_code, answer.json()["file"]["hashes"]) == (201, {})


def test_a_deferred_file_waits_for_its_commit(ask: Asking, folder: Item, drive: Drive) -> None:
    url = begin(ask, folder, deferCommit=True)
    assert ask("POST", url).status_code == 400  # nothing has come yet
    answer = put(ask, url, b"hello", 0, 4)
    assert (answer.status_code, answer.json()["nextExpectedRanges"]) == (202, [])
    assert drive.names("out") == []
    assert ask("POST", url).status_code == 201
    assert drive.content("out/a.mp4") == b"hello"


def test_a_session_can_be_cancelled(ask: Asking, folder: Item, drive: Drive) -> None:
    url = begin(ask, folder, deferCommit=True)
    put(ask, url, b"hello", 0, 4)
    assert ask("DELETE", url).status_code == 204
    assert ask("POST", url).status_code == 404
    assert drive.names("out") == []
    assert not [path for path in drive.service.tree.database.contents.iterdir() if path.suffix == ".part"]


def test_a_name_that_was_taken_meanwhile(ask: Asking, folder: Item, drive: Drive, emulator: Emulator) -> None:
    url = begin(ask, folder)
    standing = drive.by(SAM).put("out/A.MP4", b"other")  # names differ in letters' case only
    assert put(ask, url, b"hello", 0, 4).status_code == 409
    assert ask("GET", url).json()["nextExpectedRanges"] == []  # the session is still there
    drive.by(SAM).remove(standing)
    assert ask("POST", url).status_code == 201
    emulator.world.switch(early_conflict=True)
    answer = ask("POST", f"/drives/{drive.id}/items/{folder.id}:/a.mp4:/createUploadSession", json={})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "nameAlreadyExists")


def test_other_behaviours_replace_and_rename(ask: Asking, folder: Item, drive: Drive) -> None:
    first = drive.by(SAM).put("out/a.mp4", b"one")
    assert put(ask, begin(ask, folder, behaviour="rename"), b"two", 0, 2).status_code == 201
    assert put(ask, begin(ask, folder, behaviour="replace"), b"six", 0, 2).status_code == 200
    assert (drive.content("out/a 1.mp4"), drive.content("out/a.mp4")) == (b"two", b"six")
    assert drive.item("out/a.mp4").id == first.id
    assert drive.item("out/a.mp4").created_by == {"user": SAM.json()}


def test_an_item_can_be_replaced_by_its_id_only_as_it_was(ask: Asking, drive: Drive) -> None:
    item = drive.by(SAM).put("out/list.csv", b"one")
    place = f"/drives/{drive.id}/items/{item.id}/createUploadSession"
    assert ask("POST", place, json={}, headers={"If-Match": '"{OTHER},1"'}).status_code == 412
    answer = ask("POST", place, json={}, headers={"If-Match": item.etag_header})
    assert put(ask, answer.json()["uploadUrl"], b"two", 0, 2).status_code == 200
    assert drive.content("out/list.csv") == b"two"
    new = f"/drives/{drive.id}/items/{drive.item('out').id}:/list.csv:/createUploadSession"
    assert ask("POST", new, json={}, headers={"If-None-Match": "*"}).status_code == 412


def test_no_room_is_said_at_the_beginning(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    small = emulator.world.drive("small", quota=1000)
    emulator.world.allow("writer", "write", small)
    place = f"/drives/{small.id}/root:/a.mp4:/createUploadSession"
    assert ask("POST", place, json={"item": {"fileSize": 1001}}).status_code == 507
    assert ask("PUT", f"/drives/{small.id}/root:/a.mp4:/content", content=b"x" * 1001).status_code == 507


def test_a_session_expires_unless_fragments_come(ask: Asking, folder: Item, emulator: Emulator) -> None:
    emulator.world.switch(session_life=100.0)
    content = bytes(3 * STEP)
    url = begin(ask, folder)
    emulator.world.later(90)
    assert put(ask, url, content, 0, STEP - 1).status_code == 202
    emulator.world.later(90)
    assert put(ask, url, content, STEP, 2 * STEP - 1).status_code == 202
    emulator.world.later(101)
    assert put(ask, url, content, 2 * STEP, 3 * STEP - 1).status_code == 404


@pytest.mark.parametrize(
    "name", ["a%3Cb.mp4", " a.mp4", "a.mp4 ", "CON", "lpt1.txt", "x_vti_y", "~%24a", "desktop.ini", ".lock", "a%22.mp4"]
)
def test_bad_names_are_refused(ask: Asking, folder: Item, name: str) -> None:
    place = f"/drives/{folder.drive}/items/{folder.id}:/{name.replace(' ', '%20')}:"
    assert ask("PUT", f"{place}/content", content=b"x").status_code == 400
    assert ask("POST", f"{place}/createUploadSession", json={}).status_code == 400


def test_simple_uploads_replace_unless_told_otherwise(ask: Asking, folder: Item, drive: Drive) -> None:
    place = f"/drives/{drive.id}/items/{folder.id}:/a.jpg:/content"
    assert ask("PUT", place, content=b"one").status_code == 201
    assert ask("PUT", place, content=b"two").status_code == 200
    assert ask("PUT", f"{place}?@microsoft.graph.conflictBehavior=fail", content=b"six").status_code == 409
    assert drive.content("out/a.jpg") == b"two"


@pytest.mark.parametrize("how", ["simple", "session"])
def test_what_is_cut_off_leaves_a_short_file_only_when_it_was_simple(
    ask: Asking, folder: Item, drive: Drive, how: str
) -> None:
    url = begin(ask, folder) if how == "session" else f"{ask.base}/drives/{drive.id}/root:/out/a.mp4:/content"
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    connection.putrequest("PUT", parts.path)
    connection.putheader("Content-Length", str(3 * STEP))
    if how == "session":
        connection.putheader("Content-Range", f"bytes 0-{3 * STEP - 1}/{3 * STEP}")
    else:
        connection.putheader("Authorization", "Bearer writer")
    connection.endheaders(b"x" * STEP)
    connection.close()
    wait_for(lambda: how == "session" or drive.has("out/a.mp4"))
    if how == "simple":
        assert drive.item("out/a.mp4").size == STEP
    else:
        assert ask("GET", url).json()["nextExpectedRanges"] == ["0-"]
        assert drive.names("out") == []


def test_a_session_outlives_the_service(tmp_path: Path) -> None:
    content = bytes(3 * STEP)
    with EmulatorProcess(tmp_path / "tenant") as emulator:
        drive = emulator.world.drive("release")
        emulator.world.sign_in("writer", WRITER)
        emulator.world.allow("writer", "write", drive)
        ask = Asking(emulator, "writer")
        url = begin(ask, drive.by(SAM).folder("out"))
        assert put(ask, url, content, 0, STEP - 1).status_code == 202
        emulator.kill()
        with pytest.raises(httpx.TransportError):
            ask("GET", url)
        emulator.start()
        assert ask("GET", url).json()["nextExpectedRanges"] == [f"{STEP}-"]
        assert put(ask, url, content, STEP, 3 * STEP - 1).status_code == 201
        assert drive.content("out/a.mp4") == content


def test_a_picture_is_changed_by_the_service_later(ask: Asking, folder: Item, drive: Drive, emulator: Emulator) -> None:
    emulator.world.switch(jpeg_rewrite_after=30.0, etag_bump_after=10.0)
    picture = b"\xff\xd8\xff\xe0" + bytes(1000)
    for name in ("a.jpg", "b.png", "c.mp4"):
        ask("PUT", f"/drives/{drive.id}/items/{folder.id}:/{name}:/content", content=picture)
    before = {name: drive.item(f"out/{name}") for name in drive.names("out")}
    emulator.world.later(11)
    bumped = {name: ask.json(f"/drives/{drive.id}/items/{item.id}") for name, item in before.items()}
    assert bumped["a.jpg"]["cTag"] != before["a.jpg"].ctag_header
    assert bumped["b.png"]["eTag"] != before["b.png"].etag_header
    assert bumped["c.mp4"]["eTag"] == before["c.mp4"].etag_header
    assert [document["size"] for document in bumped.values()] == [1004] * 3
    emulator.world.later(20)
    after = ask.json(f"/drives/{drive.id}/items/{before['a.jpg'].id}")
    assert after["size"] == 1016
    assert after["file"]["hashes"]["quickXorHash"] != before["a.jpg"].hash
    assert after["createdBy"] == json.loads(json.dumps(before["a.jpg"].created_by))
    assert ask.json(f"/drives/{drive.id}/items/{before['c.mp4'].id}")["size"] == 1004


def test_only_libraries_rewrite_pictures(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    emulator.world.switch(jpeg_rewrite_after=30.0)
    own = emulator.world.drive("own", kind="business")
    items = [place.by(SAM).put("a.jpg", b"\xff\xd8\xff\xe0" + bytes(100)) for place in (own, drive)]
    emulator.world.later(31)
    ask("GET", f"/drives/{drive.id}/root")
    assert [own.fresh(items[0]).size, drive.fresh(items[1]).size] == [104, 116]


def wait_for(condition: Any) -> None:
    """Until it holds, for ten seconds at most."""
    import time

    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
