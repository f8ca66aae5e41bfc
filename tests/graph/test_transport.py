"""The last thing before the wire: only what may be sent is, and no token where none belongs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.graph.asking import DRIVE, ITEM, Recorder, guarded
from transfer.graph.faults import GraphFault, NotListed, Unreadable
from transfer.graph.places import GRAPH
from transfer.graph.transport import UPLOAD, DownloadTransport, Transport, UploadTransport
from transfer.graph.verbs import LISTER, READER, WRITER

CONTENT = f"{GRAPH}/drives/{DRIVE}/items/{ITEM}/content"
PERMISSIONS = f"{GRAPH}/drives/{DRIVE}/items/{ITEM}/permissions"
DOWNLOAD = "https://university.sharepoint.com/_layouts/15/download.aspx?tempauth=secret"
UPLOAD_URL = "https://university.sharepoint.com/_api/v2.0/drives/x/uploadSession?guid=1&tempauth=secret"
SIGNED = {"Authorization": "Bearer secret"}
LOCAL = "http://127.0.0.1:8123/v1.0"


def body(content: bytes = b"{}") -> httpx.ByteStream:
    return httpx.ByteStream(content)


def sent_on(location: str, status: int = 302) -> httpx.Response:
    return httpx.Response(status, headers={"Location": location} if location else {}, stream=body(b""))


def ask(transport: Transport, method: str, url: str, **how: Any) -> httpx.Response:
    async def sending() -> httpx.Response:
        response = await transport.handle_async_request(httpx.Request(method, url, **how))
        await response.aread()
        await response.aclose()
        return response

    return asyncio.run(sending())


def refused(transport: Transport, recorder: Recorder, method: str, url: str, **how: Any) -> None:
    before = (len(recorder.sent), transport.requests, transport.refused)
    with pytest.raises(NotListed) as told:
        ask(transport, method, url, **how)
    assert (len(recorder.sent), transport.requests, transport.refused) == (*before[:2], before[2] + 1)
    assert "nothing was sent" in told.value.sentence
    assert url not in str(told.value)


def test_a_listed_request_goes_with_its_token_and_an_id_of_its_own_and_without_cookies() -> None:
    recorder = Recorder()
    transport = guarded(LISTER, recorder)
    ask(transport, "GET", PERMISSIONS, headers={**SIGNED, "Cookie": "a=b"})
    (request,) = recorder.sent
    assert request.headers["Authorization"] == "Bearer secret"
    assert len(request.headers["client-request-id"]) == 36
    assert "Cookie" not in request.headers
    assert (transport.requests, transport.refused, transport.downloaded) == (1, 0, 0)


def test_cookies_that_the_service_sets_are_not_kept() -> None:
    recorder = Recorder(httpx.Response(200, headers={"Set-Cookie": "a=b"}, stream=body()))
    assert "Set-Cookie" not in ask(guarded(LISTER, recorder), "GET", PERMISSIONS).headers


@pytest.mark.parametrize("kind", [Transport, DownloadTransport, UploadTransport])
@pytest.mark.parametrize("headers", [SIGNED, {}])
@pytest.mark.parametrize(
    "url", [DOWNLOAD, UPLOAD_URL, "https://evil.test/v1.0/drives", "http://127.0.0.1/x", "ftp://x/"]
)
def test_nothing_goes_to_another_host(kind: type[Transport], headers: dict[str, str], url: str) -> None:
    recorder = Recorder()
    transport = guarded(READER | WRITER | LISTER, recorder, kind=kind)
    for method in ("GET", "PUT", "POST", "DELETE", "HEAD"):
        refused(transport, recorder, method, url, headers=headers)


def test_a_host_header_that_says_something_else_is_refused() -> None:
    recorder = Recorder()
    refused(guarded(LISTER, recorder), recorder, "GET", PERMISSIONS, headers={"Host": "evil.test", **SIGNED})


def test_a_download_goes_where_it_was_sent_on_to_once_and_without_the_token() -> None:
    recorder = Recorder(sent_on(DOWNLOAD), httpx.Response(200, stream=body(b"content")))
    transport = guarded(READER, recorder, kind=DownloadTransport)
    ask(transport, "GET", CONTENT, headers=SIGNED)
    refused(transport, recorder, "GET", DOWNLOAD, headers=SIGNED)
    refused(transport, recorder, "GET", DOWNLOAD + "1")
    refused(transport, recorder, "POST", DOWNLOAD)
    assert ask(transport, "GET", DOWNLOAD).content == b"content"
    assert recorder.sent[-1].headers["Accept-Encoding"] == "identity"
    assert transport.downloaded == 7
    refused(transport, recorder, "GET", DOWNLOAD)


def test_a_download_sent_on_twice_is_followed_twice() -> None:
    recorder = Recorder(sent_on(DOWNLOAD), sent_on("/other?x=1", 307), httpx.Response(200, stream=body(b"abc")))
    transport = guarded(READER, recorder, kind=DownloadTransport)
    for url in (CONTENT, DOWNLOAD, "https://university.sharepoint.com/other?x=1"):
        ask(transport, "GET", url)
    assert transport.downloaded == 3


@pytest.mark.parametrize(
    "location", ["http://university.sharepoint.com/x", "http://127.0.0.1/x", "ftp://x/y", "file:///etc/passwd",
                 "javascript:x", "https://[::", "http://localhost:80/x"]
)  # fmt: skip
def test_a_download_is_not_followed_to_where_nothing_is_encrypted(location: str) -> None:
    recorder = Recorder(sent_on(location))
    transport = guarded(READER, recorder, kind=DownloadTransport)
    with pytest.raises(Unreadable, match="not encrypted"):
        ask(transport, "GET", CONTENT, headers=SIGNED)
    assert len(recorder.sent) == 1


def test_on_this_machine_a_download_may_be_sent_on_to_another_port_and_nowhere_else() -> None:
    content = f"{LOCAL}/drives/{DRIVE}/items/{ITEM}/content"
    recorder = Recorder(sent_on("http://127.0.0.1:9/x"), httpx.Response(200, stream=body()))
    transport = guarded(READER, recorder, kind=DownloadTransport, base_url=LOCAL)
    ask(transport, "GET", content)
    ask(transport, "GET", "http://127.0.0.1:9/x")
    with pytest.raises(Unreadable):
        ask(
            guarded(READER, Recorder(sent_on("http://192.0.2.1/x")), kind=DownloadTransport, base_url=LOCAL),
            *("GET", content),
        )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_only_content_is_sent_on(status: int) -> None:
    recorder = Recorder(sent_on(DOWNLOAD, status))
    transport = guarded(READER | LISTER, recorder, kind=DownloadTransport)
    ask(transport, "GET", PERMISSIONS, headers=SIGNED)
    refused(transport, recorder, "GET", DOWNLOAD)


@pytest.mark.parametrize(("blocks", "read"), [(0, 0), (3, 3), (1000, 17)])
def test_a_redirects_body_that_nobody_reads_is_read_if_it_is_short(blocks: int, read: int) -> None:
    class Long(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            for _ in range(blocks):
                seen.append(1)
                yield b"x" * 4096

    async def close() -> None:
        await (await transport.handle_async_request(httpx.Request("GET", CONTENT))).aclose()

    seen: list[int] = []
    transport = guarded(
        READER, Recorder(httpx.Response(302, headers={"Location": DOWNLOAD}, stream=Long())), kind=DownloadTransport
    )
    asyncio.run(close())
    assert len(seen) == read
    assert transport.downloaded == 0


@pytest.mark.parametrize("status", [200, 403])
def test_no_other_body_is_read_for_nobody(status: int) -> None:
    class Never(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            raise AssertionError("nobody asked for it")
            yield b""

    async def close() -> None:
        await (await transport.handle_async_request(httpx.Request("GET", CONTENT))).aclose()

    transport = guarded(READER, Recorder(httpx.Response(status, stream=Never())), kind=DownloadTransport)
    asyncio.run(close())


def test_an_upload_address_is_reached_without_the_token_only_and_only_by_who_asks_for_it() -> None:
    recorder = Recorder()
    transport = guarded(WRITER, recorder, kind=UploadTransport)
    marked: dict[str, Any] = {"extensions": {UPLOAD: True}}
    for method in ("PUT", "GET", "POST", "DELETE"):
        ask(transport, method, UPLOAD_URL, **marked)
        refused(transport, recorder, method, UPLOAD_URL, headers=SIGNED, **marked)
        refused(transport, recorder, method, UPLOAD_URL)
        refused(transport, recorder, method, UPLOAD_URL.replace("https", "http"), **marked)
    refused(transport, recorder, "PATCH", UPLOAD_URL, **marked)
    assert all("Authorization" not in request.headers for request in recorder.sent)
    assert transport.downloaded == 0


@pytest.mark.parametrize("url", [CONTENT, f"{GRAPH}/drives/{DRIVE}/root:/a.jpg:/content", f"{GRAPH}/$batch"])
@pytest.mark.parametrize("headers", [SIGNED, {}])
def test_an_upload_address_is_none_of_the_interface_itself(url: str, headers: dict[str, str]) -> None:
    recorder = Recorder()
    transport = guarded(WRITER, recorder, kind=UploadTransport)
    for method in ("GET", "PUT", "POST", "DELETE"):
        refused(transport, recorder, method, url, headers=headers, extensions={UPLOAD: True})


def test_what_an_upload_address_answers_is_kept_short() -> None:
    recorder = Recorder(httpx.Response(200, stream=body(b"x" * 65_537)))
    transport = guarded(WRITER, recorder, kind=UploadTransport)
    with pytest.raises(httpx.RemoteProtocolError):
        ask(transport, "GET", UPLOAD_URL, extensions={UPLOAD: True})


def test_a_mark_opens_nothing_where_nothing_is_uploaded() -> None:
    for kind in (Transport, DownloadTransport):
        recorder = Recorder()
        refused(guarded(READER, recorder, kind=kind), recorder, "PUT", UPLOAD_URL, extensions={UPLOAD: True})


def test_a_request_that_fails_gives_its_place_free() -> None:
    class Broken(Recorder):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("no")

    transport = guarded(LISTER, Broken())

    async def many() -> None:
        for _ in range(20):  # more than may be under way at once
            with pytest.raises(httpx.ConnectError):
                await transport.handle_async_request(httpx.Request("GET", PERMISSIONS))

    asyncio.run(many())


def test_a_body_that_is_not_read_keeps_its_place_until_it_is_closed() -> None:
    transport = guarded(LISTER, Recorder())

    async def many() -> None:
        held = [await transport.handle_async_request(httpx.Request("GET", PERMISSIONS)) for _ in range(4)]
        with pytest.raises(GraphFault, match="under way"):
            async with asyncio.timeout(30):
                await transport.handle_async_request(httpx.Request("GET", PERMISSIONS))
        for response in held:
            await response.aclose()
            await response.aclose()
        assert (await transport.handle_async_request(httpx.Request("GET", PERMISSIONS))).status_code == 200

    asyncio.run(many())
