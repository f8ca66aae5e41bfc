"""The faults of the emulator happen as they are switched on, and to nobody else."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.faults import KINDS
from tests.graph.emulator.identities import application, person
from tests.graph.plain import Asking

SAM = person("Sam")


@pytest.fixture
def drive(emulator: Emulator) -> Drive:
    drive = emulator.world.drive("staging")
    emulator.world.sign_in("reader", application("Reader"))
    emulator.world.allow("reader", "write", drive)
    return drive


@pytest.fixture
def ask(emulator: Emulator, drive: Drive) -> Asking:
    return Asking(emulator, "reader")


@pytest.mark.parametrize(
    ("kind", "status", "wait"),
    [
        ("throttle", 429, "1"),
        ("throttle_silent", 429, None),
        ("busy", 503, "1"),
        ("busy_silent", 503, None),
        ("broken", 500, None),
        ("timeout", 504, None),
        ("not_found", 404, None),
    ],
)
def test_a_status_instead_of_an_answer(
    ask: Asking, drive: Drive, emulator: Emulator, kind: str, status: int, wait: str | None
) -> None:
    rule = emulator.world.fault(kind, method="GET", path="/delta", times=2, after=1)
    place = f"/drives/{drive.id}/root/delta"
    answers = [ask("GET", place) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, status, status, 200]
    assert answers[1].headers.get("Retry-After") == wait
    assert emulator.world.left(rule) == 0
    assert emulator.world.faults_met() == {kind: 2}


def test_a_rule_may_concern_one_token_and_carry_options(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    world = emulator.world
    world.sign_in("other", application("Other"))
    world.allow("other", "read", drive)
    world.fault("throttle", token="other", retry_after=200)
    world.fault("status", token="reader", after=1, status=423, code="resourceLocked", headers={"X-One": "1"})
    place = f"/drives/{drive.id}/root"
    assert Asking(emulator, "other")("GET", place).headers["Retry-After"] == "200"
    assert ask("GET", place).status_code == 200
    answer = ask("GET", place)
    assert (answer.status_code, answer.json()["error"]["code"], answer.headers["X-One"]) == (423, "resourceLocked", "1")
    with pytest.raises(ValueError, match="no fault"):
        world.fault("nonsense")
    with pytest.raises(ValueError, match="no switch"):
        world.switch(nonsense=1)


def test_answers_that_are_none(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    place = f"/drives/{drive.id}/root"
    emulator.world.fault("bad_gateway")
    assert "<html>" in ask("GET", place).text
    emulator.world.fault("garbage")
    with pytest.raises(json.JSONDecodeError):
        ask("GET", place).json()
    emulator.world.fault("redirect", location="http://127.0.0.1:1/elsewhere")
    assert ask("GET", place).headers["Location"].endswith("/elsewhere")
    emulator.world.fault("gone", code="resyncRequired", location="")
    assert ask("GET", f"{place}/delta").status_code == 410
    emulator.world.fault("slow", seconds=0.3)
    begun = time.monotonic()
    assert ask("GET", place).status_code == 200
    assert time.monotonic() - begun >= 0.3


def test_a_connection_that_ends_before_and_after(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    place = f"/drives/{drive.id}/root/children"
    for kind, there in (("cut_before", False), ("cut_after", True)):
        emulator.world.fault(kind, method="POST")
        with pytest.raises(httpx.TransportError):
            ask("POST", place, json={"name": kind, "folder": {}})
        assert drive.has(kind) is there
    emulator.world.fault("cut_during", method="PUT")
    with pytest.raises(httpx.TransportError):
        ask("PUT", f"/drives/{drive.id}/root:/a.bin:/content", content=bytes(5_000_000))
    assert not drive.has("a.bin")


def test_bodies_that_are_short_or_wrong(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    item = drive.by(SAM).put("a.jpg", bytes(1000))
    url = ask("GET", f"/drives/{drive.id}/items/{item.id}/content").headers["Location"]
    emulator.world.fault("short_body", path="/download/")
    answer = ask("GET", url)
    assert (answer.status_code, len(answer.content), answer.headers["Content-Length"]) == (200, 500, "500")
    emulator.world.fault("cut_body", path="/download/")
    with pytest.raises(httpx.RemoteProtocolError):
        ask("GET", url)
    emulator.world.fault("wrong_body", path="/download/")
    assert len(ask("GET", url).content) == 65
    emulator.world.fault("expired", path="/download/")
    assert ask("GET", url).status_code == 401
    assert ask("GET", url).content == bytes(1000)
    assert emulator.world.counted("content_bytes", token="reader") == 500 + 500 + 1000
    other = drive.report(item, size=999, quickxor="AAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    assert ask.json(f"/drives/{drive.id}/items/{item.id}")["size"] == other.size == 999
    assert len(ask("GET", url).content) == 1000


def test_an_upload_session_may_get_lost(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    url = ask("POST", f"/drives/{drive.id}/root:/a.mp4:/createUploadSession", json={}).json()["uploadUrl"]
    emulator.world.fault("not_found", path="/upload/")
    assert [ask("GET", url).status_code for _ in range(2)] == [404, 200]
    emulator.world.fault("session_lost", path="/upload/")
    assert [ask("GET", url).status_code for _ in range(2)] == [404, 404]


def test_random_faults_have_a_share_and_a_seed(drive: Drive, emulator: Emulator) -> None:
    world = emulator.world

    def story(seed: int) -> list[str | None]:
        world.forget_requests()
        world.database.run("DELETE FROM sequence WHERE name = 'draw'")
        world.random_faults(0.2, seed=seed)
        ask = Asking(emulator, "reader")
        for _ in range(200):
            try:
                ask("GET", f"/drives/{drive.id}/root")
            except httpx.TransportError:
                continue
        return [asked.fault for asked in world.asked()]

    first = story(1)
    assert 20 <= len([fault for fault in first if fault]) <= 60
    assert set(first) - {None} == {"throttle", "throttle_silent", "busy", "busy_silent", "broken", "cut_before"}
    assert first == story(1) != story(2)


def test_each_kind_of_request_meets_its_own_faults(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    emulator.world.random_faults(1.0, kinds=["not_found"])
    old = drive.by(SAM).put("a.jpg", b"x")
    assert ask("GET", f"/drives/{drive.id}/items/{old.id}").status_code == 404  # made just now
    assert ask("GET", f"/drives/{drive.id}/items/{drive.item().id}:/A.jpg:").status_code == 404
    emulator.world.later(60)
    assert ask("GET", f"/drives/{drive.id}/items/{old.id}").status_code == 200
    emulator.world.random_faults(1.0, path="^/nowhere")
    assert ask("GET", f"/drives/{drive.id}/items/{old.id}").status_code == 200
    emulator.world.no_faults()
    url = ask("GET", f"/drives/{drive.id}/items/{old.id}/content").headers["Location"]
    emulator.world.random_faults(1.0, kinds=["expired"])
    assert ask("GET", url).status_code == 401


def test_a_budget_of_resource_units(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    emulator.world.switch(budget=20)
    root = f"/drives/{drive.id}/root"
    link = ask.json(f"{root}/delta")["@odata.deltaLink"]  # 2
    assert "RateLimit-Limit" not in ask("GET", link).headers  # 3
    ask("GET", f"{root}/permissions")  # 8
    ask("GET", f"{root}/children")  # 10
    ask("POST", f"{root}/children", json={"name": "a", "folder": {}})  # 12
    for spent in range(13, 16):
        assert "RateLimit-Remaining" not in ask("GET", root).headers, spent
    answer = ask("GET", root)  # 16, which is 80 %
    assert (answer.headers["RateLimit-Limit"], answer.headers["RateLimit-Remaining"]) == ("20", "4")
    answer = ask("GET", f"{root}/permissions")  # 21
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert emulator.world.counted("units", token="reader") == 21
    assert emulator.world.counted("throttled", token="reader") == 1
    emulator.world.later(60)
    assert ask("GET", root).status_code == 200


def test_who_does_not_wait_is_noticed(ask: Asking, drive: Drive, emulator: Emulator) -> None:
    emulator.world.fault("throttle", retry_after=1)
    root = f"/drives/{drive.id}/root"
    assert ask("GET", root).status_code == 429
    time.sleep(0.1)
    ask("GET", root)
    assert emulator.world.counted("impatient", token="reader") == 1
    time.sleep(1)
    ask("GET", root)
    assert emulator.world.counted("impatient", token="reader") == 1


def test_every_kind_is_described() -> None:
    assert all(KINDS.values())
