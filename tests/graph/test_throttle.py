"""Manners towards a service that slows down, fails and cuts connections: real requests to the emulator."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx
import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError

from tests.graph.asking import SWIFT, session, throttle
from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.identities import person
from transfer.graph import verbs
from transfer.graph.faults import Denied, GraphFault, NotThere, Unreached
from transfer.graph.identity import sign_in_fault
from transfer.graph.pace import Manners
from transfer.graph.session import DownloadingSession, UploadingSession
from transfer.graph.throttle import Throttle
from transfer.wiring import SystemClock

SAM = person("Sam")
CHUNK = 327_680
PASSING = ("throttle_silent", "busy_silent", "broken", "bad_gateway", "timeout", "cut_before", "cut_body")


def ask(reader: DownloadingSession, drive: Drive) -> int:
    return reader.ask(verbs.DELTA, drive.id, "root").status


@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_is_tried_again(kind: str, emulator: Emulator, staging: Drive, reader: DownloadingSession) -> None:
    emulator.world.fault(kind, times=2)
    assert ask(reader, staging) == 200
    assert emulator.world.faults_met() == {kind: 2}


def test_what_does_not_pass_is_told_at_once(emulator: Emulator, staging: Drive, reader: DownloadingSession) -> None:
    for status in (400, 401, 403, 404, 409, 410, 412, 416, 423, 501, 507):
        emulator.world.fault("status", status=status, code="someCode")
        with pytest.raises(GraphFault) as told:
            ask(reader, staging)
        assert (told.value.status, told.value.code) == (status, "someCode")
    assert reader.requests == 11


def test_retry_after_stops_every_request_of_the_identity(
    emulator: Emulator, staging: Drive, reader: DownloadingSession
) -> None:
    ask(reader, staging)
    emulator.world.fault("throttle", retry_after=3)
    with ThreadPoolExecutor(6) as threads:
        first = threads.submit(ask, reader, staging)
        while not emulator.world.faults_met():
            time.sleep(0.01)
        answered = time.monotonic()
        time.sleep(0.2)
        others = [threads.submit(ask, reader, staging) for _ in range(5)]
        time.sleep(0.3)
        waiting = reader.waiting()
        assert waiting is not None
        assert timedelta(0) < waiting.until - SystemClock().now() <= timedelta(seconds=3)
        assert "slow down" in waiting.why
        assert reader.requests == 2
        assert [future.result() for future in (first, *others)] == [200] * 6
    assert time.monotonic() - answered >= 2.9
    assert reader.waiting() is None
    assert emulator.world.counted("impatient") == 0


def test_two_sessions_of_one_identity_wait_together(emulator: Emulator, staging: Drive) -> None:
    shared = throttle()
    with (
        session(DownloadingSession, verbs.READER, emulator, "reader") as one,
        session(DownloadingSession, verbs.READER, emulator, "reader") as other,
    ):
        for opened in (one, other):
            opened._exchange._throttle = opened._exchange.transport._throttle = shared
        emulator.world.fault("busy", retry_after=1)
        with ThreadPoolExecutor(2) as threads:
            waits = threads.submit(ask, one, staging)
            while not emulator.world.faults_met():
                time.sleep(0.01)
            started = time.monotonic()
            time.sleep(0.05)
            assert ask(other, staging) == 200
            assert time.monotonic() - started >= 0.9
            assert waits.result() == 200
    assert emulator.world.counted("impatient") == 0


def test_patience_ends_with_a_sentence_and_nothing_is_asked_meanwhile(emulator: Emulator, staging: Drive) -> None:
    with session(
        DownloadingSession, verbs.READER, emulator, "reader", manners=Manners(patience=1.0, first_pause=0.05)
    ) as reader:
        emulator.world.fault("throttle", retry_after=200)
        started = time.monotonic()
        with pytest.raises(GraphFault, match="429") as told:
            ask(reader, staging)
        assert (told.value.status, told.value.retry_after) == (429, 200)
        with pytest.raises(GraphFault, match="slow down"):
            ask(reader, staging)
        assert time.monotonic() - started < 5
        assert reader.requests == 1


def test_a_service_that_is_away_is_tried_until_patience_ends(emulator: Emulator, staging: Drive) -> None:
    with session(
        DownloadingSession,
        verbs.READER,
        emulator,
        "reader",
        manners=Manners(patience=1.0, first_pause=0.1),
        base_url="http://127.0.0.1:9/v1.0",
    ) as reader:
        with ThreadPoolExecutor(1) as threads:
            waits = threads.submit(ask, reader, staging)
            seen = []
            while not waits.done():
                seen.append(reader.waiting())
                time.sleep(0.02)
            with pytest.raises(Unreached, match="could not be reached") as told:
                waits.result()
        assert any(waiting is not None and "tried again" in waiting.why for waiting in seen)
        assert "127.0.0.1" not in str(told.value)
        assert 2 <= reader.requests <= 10


def test_a_download_that_breaks_off_or_comes_short_is_told(
    emulator: Emulator, staging: Drive, reader: DownloadingSession
) -> None:
    item = staging.by(SAM).put("photo.jpg", bytes(5_000_000))
    emulator.world.fault("cut_body", path="/download/")
    with pytest.raises(Unreached), reader.download(verbs.CONTENT, staging.id, item.id) as file:
        file.read()
    with reader.download(verbs.CONTENT, staging.id, item.id) as file:
        assert len(file.read()) == 5_000_000
    for _ in range(2 * SWIFT.in_flight):  # what is not read to the end gives its place free too
        with reader.download(verbs.CONTENT, staging.id, item.id) as file:
            assert file.read(10) == bytes(10)


def test_what_comes_drop_by_drop_is_given_up(
    emulator: Emulator, staging: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = staging.by(SAM).put("photo.jpg", bytes(5_000_000))
    with session(DownloadingSession, verbs.READER, emulator, "reader", manners=Manners(patience=0.5)) as reader:

        class Drops(httpx.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                while True:
                    await asyncio.sleep(0.05)
                    yield b"x"

        async def drops(request: object) -> httpx.Response:
            return httpx.Response(200, stream=Drops())

        monkeypatch.setattr("transfer.graph.exchange._SLOWEST", 0.3)
        monkeypatch.setattr(reader._exchange.transport._inner, "handle_async_request", drops)
        with pytest.raises(Unreached, match="TimeoutError"):
            ask(reader, staging)
        with pytest.raises(Unreached, match="TimeoutError"), reader.download(verbs.CONTENT, staging.id, item.id) as f:
            f.read()


@pytest.mark.parametrize("kind", ["expired", "busy_silent", "cut_before"])
def test_a_download_address_that_fails_is_asked_for_anew(
    kind: str, emulator: Emulator, staging: Drive, reader: DownloadingSession
) -> None:
    item = staging.by(SAM).put("photo.jpg", b"photo")
    emulator.world.fault(kind, path="/download/", times=2)
    with reader.download(verbs.CONTENT, staging.id, item.id) as file:
        assert file.read() == b"photo"
    assert len(emulator.world.asked(path="/content")) == 3


def test_a_part_that_is_not_taken_is_sent_again(emulator: Emulator, release: Drive, writer: UploadingSession) -> None:
    from transfer.graph.records import parse_upload_session

    answer = writer.ask(verbs.CREATE_UPLOAD, release.id, release.item().id, "photo.jpg", body={"item": {}})
    url = parse_upload_session(answer.body).url or ""
    for kind in ("busy", "throttle_silent", "broken", "cut_before"):
        emulator.world.fault(kind, method="PUT", path="/upload/", retry_after=1)
    writer.upload(url, bytes(CHUNK), 0, CHUNK + 1)
    assert len(emulator.world.asked(method="PUT")) == 5
    emulator.world.fault("session_lost", path="/upload/")
    with pytest.raises(NotThere):
        writer.upload(url, b"x", CHUNK, CHUNK + 1)


def test_the_budget_is_not_overdrawn(emulator: Emulator, staging: Drive) -> None:
    emulator.world.switch(budget=60)
    with session(
        DownloadingSession, verbs.READER, emulator, "reader", manners=Manners(in_flight=4, patience=300)
    ) as reader:
        item = staging.by(SAM).put("photo.jpg", b"photo")
        stop = threading.Event()
        with ThreadPoolExecutor(8) as threads:

            def asks() -> None:
                while not stop.is_set():
                    reader.ask(verbs.ITEM, staging.id, item.id)

            running = [threads.submit(asks) for _ in range(8)]
            patience = time.monotonic() + 60
            while (waiting := reader.waiting()) is None and time.monotonic() < patience:
                time.sleep(0.01)
            time.sleep(0.5)
            asked = reader.requests
            stop.set()
            reader.close()  # nobody waits for the rest of the minute
            ends = [future.exception(timeout=20) for future in running]
    assert any(isinstance(end, Unreached) for end in ends)
    assert waiting is not None
    assert asked <= 62
    assert emulator.world.counted("throttled") == 0


def test_never_more_at_once_than_agreed(emulator: Emulator, staging: Drive) -> None:
    running, most, lock = 0, 0, threading.Lock()
    with session(DownloadingSession, verbs.READER, emulator, "reader", manners=Manners(in_flight=3)) as reader:
        inner = reader._exchange.transport._inner
        answer = inner.handle_async_request

        async def counted(request: object) -> object:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            try:
                await asyncio.sleep(0.01)
                return await answer(request)  # type: ignore[arg-type]
            finally:
                with lock:
                    running -= 1

        inner.handle_async_request = counted  # type: ignore[method-assign, assignment]
        with ThreadPoolExecutor(12) as threads:
            assert set(threads.map(lambda _: ask(reader, staging), range(60))) == {200}
    assert most == 3


def test_who_waits_is_woken_when_the_session_is_closed(emulator: Emulator, staging: Drive) -> None:
    reader = session(DownloadingSession, verbs.READER, emulator, "reader", manners=Manners(patience=600))
    emulator.world.fault("throttle", retry_after=300)
    with ThreadPoolExecutor(1) as threads:
        waits = threads.submit(ask, reader, staging)
        while reader.waiting() is None:
            time.sleep(0.01)
        started = time.monotonic()
        reader.close()
        with pytest.raises(Unreached, match="closed"):
            waits.result(timeout=20)
        assert time.monotonic() - started < 5
    with pytest.raises(Unreached, match="closed"):
        ask(reader, staging)
    reader.close()


def test_random_faults_lose_nothing(emulator: Emulator, staging: Drive, reader: DownloadingSession) -> None:
    content = bytes(range(256)) * 2000
    item = staging.by(SAM).put("photo.jpg", content)
    emulator.world.switch(retry_after=0)
    emulator.world.random_faults(0.2, seed=5)
    read = 0
    for _ in range(60):
        try:
            with reader.download(verbs.CONTENT, staging.id, item.id) as file:
                whole = file.read()
        except Unreached:
            continue  # it broke off in the middle, which only who reads can mend
        if len(whole) == len(content):  # "short body": a length that says so too
            assert whole == content
            read += 1
    assert read > 30
    assert sum(emulator.world.faults_met().values()) > 15


def test_a_throttle_alone_makes_nobody_wait() -> None:
    idle = Throttle(clock=SystemClock())
    assert idle.waiting() is None

    async def turns() -> None:
        for _ in range(100):
            turn = await idle.turn(5)
            turn.answered(200, {})
            turn.ended()
            turn.ended()

    asyncio.run(turns())


def test_a_sign_in_that_is_refused_is_told_without_its_text() -> None:
    refused = sign_in_fault(ClientAuthenticationError("AADSTS700027: sam@example.test"))
    assert isinstance(refused, Denied)
    away = sign_in_fault(ServiceRequestError("login.microsoftonline.com"))
    assert isinstance(away, Unreached)
    for fault in (refused, away):
        assert "sam" not in str(fault)
        assert "doctor" in fault.advice
