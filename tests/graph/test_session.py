"""Sessions with the emulator: what each kind can do."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.graph.emulator import server
from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.identities import person
from transfer.graph import verbs
from transfer.graph.faults import Changed, Conflict, Denied, Gone, MalwareBlocked, NotThere, RangeWrong, Unreached
from transfer.graph.fields import parse_json
from transfer.graph.records import DriveItem, UploadSession, parse_item, parse_page, parse_upload_session
from transfer.graph.session import DownloadingSession, UploadingSession

SAM = person("Sam")
CHUNK = 327_680


def begin(writer: UploadingSession, release: Drive, name: str, **how: Any) -> str:
    body = {"item": {"@microsoft.graph.conflictBehavior": "fail"}, **how}
    opened = parse_upload_session(writer.ask(verbs.CREATE_UPLOAD, release.id, release.item().id, name, body=body).body)
    assert opened.url is not None
    return opened.url


def content_of(reader: DownloadingSession, drive: Drive, item: str) -> bytes:
    with reader.download(verbs.CONTENT, drive.id, item) as file:
        return file.read()


def test_a_folder_is_listed_followed_and_its_file_read(
    emulator: Emulator, staging: Drive, reader: DownloadingSession
) -> None:
    emulator.world.switch(page_size=2)
    content = os.urandom(3_000_000)
    item = staging.by(SAM).put("open-day/photo.jpg", content)
    page = parse_page(reader.ask(verbs.DELTA, staging.id, "root").body)
    found = list(page.items)
    while page.next_link:
        page = parse_page(reader.follow(page.next_link).body)
        found += page.items
    assert {entry.name for entry in found} == {"root", "open-day", "photo.jpg"}
    assert page.delta_link is not None
    assert parse_page(reader.follow(page.delta_link).body).items == ()
    assert content_of(reader, staging, item.id) == content
    assert reader.downloaded == len(content) == emulator.world.counted("content_bytes", token="reader")
    assert reader.requests == len(emulator.world.asked()) == 5
    assert reader.refused == 0


def test_every_request_says_who_it_is_and_only_those_to_graph_have_a_token(
    emulator: Emulator, staging: Drive, reader: DownloadingSession, release: Drive, writer: UploadingSession
) -> None:
    item = staging.by(SAM).put("photo.jpg", b"photo")
    content_of(reader, staging, item.id)
    url = begin(writer, release, "photo.jpg")
    assert isinstance(writer.upload(url, b"photo", 0, 5), DriveItem)
    asked = emulator.world.asked()
    assert {entry.host for entry in asked} == {"graph", "content"}
    for entry in asked:
        assert entry.authorization == (entry.host == "graph")
        assert entry.user_agent is not None
        assert entry.user_agent.startswith("NONISV|ExampleUniversity|OneWayTransfer/")
    identifiers = [entry.client_request_id for entry in asked]
    assert None not in identifiers
    assert emulator.world.counted("leaked_authorization") == 0


def test_a_file_goes_up_in_parts_and_is_there_after_the_commit(
    emulator: Emulator, release: Drive, writer: UploadingSession
) -> None:
    content = os.urandom(2 * CHUNK + 5)
    url = begin(writer, release, "höhe 100% #1.jpg", deferCommit=True)
    taken = writer.upload(url, content[:CHUNK], 0, len(content))
    assert isinstance(taken, UploadSession)
    assert taken.expected[0][0] == CHUNK
    with pytest.raises(RangeWrong):
        writer.upload(url, content[:CHUNK], 0, len(content))
    assert writer.upload_status(url).expected[0][0] == CHUNK
    writer.upload(url, content[CHUNK : 2 * CHUNK], CHUNK, len(content))
    assert isinstance(writer.upload(url, content[2 * CHUNK :], 2 * CHUNK, len(content)), UploadSession)
    assert not release.has("höhe 100% #1.jpg")
    made = writer.upload_commit(url)
    assert release.content("höhe 100% #1.jpg") == content
    named = writer.ask(verbs.NAMED_ITEM, release.id, release.item().id, "höhe 100% #1.jpg")
    assert parse_item(parse_json(named.body)).id == made.id
    with pytest.raises(Changed):
        writer.ask(verbs.DELETE, release.id, made.id, headers={"If-Match": '"other"'})
    writer.ask(verbs.CHANGE, release.id, made.id, headers={"If-Match": made.etag or ""}, body={"name": "other.jpg"})
    assert release.names() == ["other.jpg"]
    assert writer.ask(verbs.DELETE, release.id, made.id).status == 204
    with pytest.raises(NotThere):
        writer.ask(verbs.ITEM, release.id, made.id)
    assert writer.downloaded == emulator.world.counted("content_bytes", token="writer") == 0


def test_an_upload_that_is_cancelled_is_gone(release: Drive, writer: UploadingSession) -> None:
    url = begin(writer, release, "photo.jpg")
    writer.upload(url, bytes(CHUNK), 0, 2 * CHUNK)
    writer.upload_cancel(url)
    with pytest.raises(NotThere):
        writer.upload_status(url)
    assert release.names() == []


def test_a_name_that_is_taken_and_a_right_that_is_missing_have_their_errors(
    emulator: Emulator, release: Drive, writer: UploadingSession, staging: Drive
) -> None:
    release.by(SAM).put("photo.jpg", b"older")
    with pytest.raises(Conflict):
        writer.upload(begin(writer, release, "photo.jpg"), b"newer", 0, 5)
    with pytest.raises(Denied):
        writer.ask(verbs.ITEM, staging.id, staging.item().id)


def test_malware_is_not_handed_out(staging: Drive, reader: DownloadingSession) -> None:
    item = staging.malware(staging.by(SAM).put("photo.jpg", b"EICAR"))
    with pytest.raises(MalwareBlocked):
        content_of(reader, staging, item.id)
    assert reader.downloaded == 0


def test_an_empty_file_is_empty(staging: Drive, reader: DownloadingSession) -> None:
    assert content_of(reader, staging, staging.by(SAM).put("photo.jpg", b"").id) == b""


def test_downloads_go_over_the_connections_that_are_there(
    staging: Drive, reader: DownloadingSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [staging.by(SAM).put(f"{number}.jpg", bytes([number])) for number in range(5)]
    assert content_of(reader, staging, items[0].id) == b"\0"
    connections: list[object] = []
    accept = server._Server.process_request

    def counting(self: server._Server, request: Any, client_address: Any) -> None:
        connections.append(client_address)
        accept(self, request, client_address)

    monkeypatch.setattr(server._Server, "process_request", counting)
    for number, item in enumerate(items):
        assert content_of(reader, staging, item.id) == bytes([number])
    assert connections == [], "a redirect whose body is left unread costs a connection"


def test_content_may_come_without_a_redirect(emulator: Emulator, staging: Drive, reader: DownloadingSession) -> None:
    emulator.world.switch(direct_content=True)
    assert content_of(reader, staging, staging.by(SAM).put("photo.jpg", b"photo").id) == b"photo"
    assert reader.downloaded == 5


def test_a_link_that_is_too_old_says_where_to_go_on(
    emulator: Emulator, staging: Drive, reader: DownloadingSession
) -> None:
    link = parse_page(reader.ask(verbs.DELTA, staging.id, "root").body).delta_link
    emulator.world.forget_deltas("resyncChangesUploadDifferences")
    with pytest.raises(Gone) as told:
        reader.follow(link or "")
    assert told.value.code == "resyncChangesUploadDifferences"
    assert parse_page(reader.follow(told.value.location or "").body).delta_link


@pytest.mark.parametrize("path", ["/items", "/download/"], ids=["an-answer", "content"])
def test_closing_ends_what_is_under_way(
    emulator: Emulator, staging: Drive, reader: DownloadingSession, path: str
) -> None:
    item = staging.by(SAM).put("photo.jpg", os.urandom(3_000_000))
    content_of(reader, staging, item.id)
    emulator.world.fault("slow", path=path, seconds=4)
    with ThreadPoolExecutor(1) as elsewhere:
        asked = elsewhere.submit(content_of, reader, staging, item.id)
        while not emulator.world.faults_met():
            time.sleep(0.01)
        began = time.monotonic()
        reader.close()
        with pytest.raises(Unreached, match="was closed"):
            asked.result(10)
        assert time.monotonic() - began < 3
    reader.close()
    with pytest.raises(Unreached, match="was closed"):
        content_of(reader, staging, item.id)
    time.sleep(4)  # until the emulator has finished with what nobody waits for


def test_closing_between_two_blocks_of_a_file_ends_it_too(
    staging: Drive, reader: DownloadingSession, caplog: pytest.LogCaptureFixture
) -> None:
    item = staging.by(SAM).put("film.mp4", os.urandom(20_000_000))
    with reader.download(verbs.CONTENT, staging.id, item.id) as file:
        file.read(10)
        reader.close()
        with pytest.raises(Unreached, match="was closed"):
            file.read()
    assert caplog.records == []
