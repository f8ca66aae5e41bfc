"""Who may what in the emulator, what it says of people and permissions, how it gives content, and what it counts."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator, EmulatorProcess
from tests.graph.emulator.identities import application, group, guest, person, site_group
from tests.graph.emulator.world import World
from tests.graph.plain import Asking

SAM, DEVICE = person("Sam"), person("Device")


@pytest.fixture
def drive(emulator: Emulator) -> Drive:
    world, drive = emulator.world, emulator.world.drive("release")
    for token, role in (("reader", "read"), ("writer", "write"), ("auditor", "fullcontrol")):
        world.sign_in(token, application(token.title()), directory=token == "auditor")
        world.allow(token, role, drive)
    world.sign_in("device", DEVICE)
    world.sign_in("sam", SAM)
    drive.by(SAM).put("out/a.jpg", b"hello")
    return drive


def asking(emulator: Emulator, token: str) -> Asking:
    return Asking(emulator, token)


def error(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_nobody_and_a_wrong_token_get_nothing(emulator: Emulator, drive: Drive) -> None:
    for token in ("", "no such token"):
        answer = asking(emulator, token)("GET", f"/drives/{drive.id}/root/delta")
        assert error(answer) == (401, "InvalidAuthenticationToken")


def test_a_role_reaches_as_far_as_it_does(emulator: Emulator, drive: Drive) -> None:
    item, other = drive.item("out/a.jpg"), emulator.world.drive("staging")
    place = f"/drives/{drive.id}/items/{item.id}"
    changes: list[tuple[str, str, Any]] = [
        ("PATCH", place, {"name": "b.jpg"}),
        ("POST", f"/drives/{drive.id}/root/children", {"name": "new", "folder": {}}),
        ("POST", f"/drives/{drive.id}/root:/b.jpg:/createUploadSession", {}),
        ("PUT", f"/drives/{drive.id}/root:/b.jpg:/content", {}),
        ("DELETE", place, None),
    ]
    for method, path, body in changes:
        assert error(asking(emulator, "reader")(method, path, json=body)) == (403, "accessDenied")
    for method, path, body in changes:
        assert asking(emulator, "writer")(method, path, json=body).status_code < 300
    for token in ("reader", "writer", "auditor"):
        assert error(asking(emulator, token)("GET", f"/drives/{other.id}/root")) == (403, "accessDenied")
    assert asking(emulator, "reader")("GET", f"/drives/{drive.id}/root/children").status_code == 200


def test_a_role_on_a_folder_ends_there(emulator: Emulator, drive: Drive) -> None:
    emulator.world.sign_in("narrow", application("Narrow"))
    mine = emulator.world.app_folder("narrow", drive)
    ask = asking(emulator, "narrow")
    assert ask.json(f"/drives/{drive.id}/special/approot")["id"] == mine.id
    assert ask("PUT", f"/drives/{drive.id}/special/approot:/a.txt:/content", content=b"x").status_code == 201
    assert ask("PUT", f"/drives/{drive.id}/items/{mine.id}:/b.txt:/content", content=b"x").status_code == 201
    assert error(ask("GET", f"/drives/{drive.id}/root/children"))[0] == 403
    inside = drive.item("Apps/Narrow/a.txt")
    answer = ask("PATCH", f"/drives/{drive.id}/items/{inside.id}", json={"parentReference": {"id": drive.item().id}})
    assert error(answer)[0] == 403


def test_a_person_may_what_permissions_say(emulator: Emulator, drive: Drive) -> None:
    ask, place = asking(emulator, "device"), f"/drives/{drive.id}/items/{drive.item('out/a.jpg').id}"
    assert ask("GET", place).status_code == 403
    drive.permit(drive.item("out"), DEVICE)
    assert ask("GET", f"{place}/content").status_code == 302
    put = f"/drives/{drive.id}/root:/out/evil.jpg:/content"
    assert ask("PUT", put, content=b"x").status_code == 403
    team, inner = group("Team"), group("Inner")
    emulator.world.member(team, inner)
    emulator.world.member(inner, DEVICE)
    granted = drive.permit(drive.item(), team, roles=("write",))
    assert ask("PUT", put, content=b"x").status_code == 201
    assert drive.item("out/evil.jpg").created_by["user"] == DEVICE.json()
    drive.withdraw(granted)
    assert ask("PUT", put, content=b"y").status_code == 403
    drive.link(drive.item(), "edit", "organization")
    assert ask("PUT", put, content=b"y").status_code == 200
    drive.alone(drive.item("out"))
    assert ask("PUT", put, content=b"z").status_code == 403


def test_an_owner_may_everything_in_their_own_drive(emulator: Emulator, drive: Drive) -> None:
    own = emulator.world.drive("own", kind="business", owner=SAM)
    assert asking(emulator, "sam")("PUT", f"/drives/{own.id}/root:/a.jpg:/content", content=b"x").status_code == 201
    assert asking(emulator, "device")("GET", f"/drives/{own.id}/root").status_code == 403


def test_permissions_are_told_to_those_who_may_know(emulator: Emulator, drive: Drive) -> None:
    out, item = drive.item("out"), drive.item("out/a.jpg")
    drive.permit(out, DEVICE)
    drive.permit(drive.item(), site_group("Owners"), roles=("owner",))
    drive.link(item, "edit", "users", guest("Visitor"), password=True)
    drive.permit(item, SAM, roles=())
    drive.permit(item, SAM, roles=("sp.limited access",))
    place = f"/drives/{drive.id}/items/{item.id}/permissions"
    shown = asking(emulator, "auditor").json(place)["value"]
    assert [entry["roles"] for entry in shown] == [["write"], [], ["sp.limited access"], ["read"], ["owner"]]
    assert "EXT" in shown[0]["grantedToIdentitiesV2"][0]["user"]["email"]
    assert (shown[0]["link"]["scope"], shown[0]["hasPassword"]) == ("users", True)
    assert "siteGroup" in shown[4]["grantedToV2"]
    assert not any("inheritedFrom" in entry for entry in shown)
    assert [entry["roles"] for entry in asking(emulator, "device").json(place)["value"]] == [["read"]]
    assert asking(emulator, "reader").json(place)["value"] == []
    emulator.world.switch(inherited_from=True)
    assert "inheritedFrom" in asking(emulator, "auditor").json(place)["value"][3]
    team, ask = group("Team"), asking(emulator, "auditor")
    members = f"/groups/{team.id}/transitiveMembers"
    assert asking(emulator, "reader")("GET", members).status_code == 403
    assert error(ask("GET", members)) == (404, "Request_ResourceNotFound")
    emulator.world.member(team)
    assert ask.json(members)["value"] == []
    assert error(ask("GET", f"/groups/{site_group('Owners').id}/transitiveMembers"))[0] == 404


def test_every_list_may_come_in_pages(emulator: Emulator, drive: Drive) -> None:
    emulator.world.switch(list_page_size=2)
    item, team = drive.item("out/a.jpg"), group("Team")
    for number in range(5):
        drive.by(SAM).put(f"many/{number}", b"x")
        drive.by(SAM).replace(item, b"%d" % number)
        drive.permit(item, person(f"Person {number}"))
        emulator.world.member(team, person(f"Person {number}"))
    ask, place = asking(emulator, "auditor"), f"/drives/{drive.id}/items"
    for path, count in (
        (f"{place}/{drive.item('many').id}/children?$select=id", 5),
        (f"{place}/{item.id}/versions?$select=id,size", 6),
        (f"{place}/{item.id}/permissions", 5),
        (f"/groups/{team.id}/transitiveMembers?$select=id", 5),
        (f"/drives/{drive.id}/root:/many:/children?$top=3", 5),
    ):
        found, link = [], path
        while link:
            page = ask.json(link)
            found += [entry["id"] for entry in page["value"]]
            link = page.get("@odata.nextLink")
        assert len(set(found)) == len(found) == count


def test_who_wrote_it_in_every_variant(emulator: Emulator, drive: Drive) -> None:
    hands = {
        "staff": ("user", drive.by(SAM)),
        "no id": ("user", drive.by(SAM.without_id())),
        "application": ("application", drive.by(application("Flow"))),
        "both": ("user,application", drive.by((SAM, application("Flow")))),
        "guest": ("user", drive.by(guest("Visitor"))),
        "nobody": ("", drive.by(None)),
    }
    ask = asking(emulator, "reader")
    for name, (kinds, hand) in hands.items():
        document = ask.json(f"/drives/{drive.id}/items/{hand.put(f'in/{name}', b'x').id}")
        assert ",".join(document.get("createdBy", {})) == kinds
    assert "id" not in drive.item("in/no id").created_by["user"]
    item = drive.by(DEVICE).put("in/mixed", b"x")
    drive.by(SAM).replace(item, b"y")
    drive.pretend(item, created_by=SAM, modified_by=SAM)
    document = ask.json(f"/drives/{drive.id}/items/{item.id}?$expand=createdByUser")
    assert document["createdByUser"]["id"] == SAM.id
    versions = ask.json(f"/drives/{drive.id}/items/{item.id}/versions")["value"]
    assert [version["lastModifiedBy"]["user"]["displayName"] for version in versions] == ["Sam", "Device"]


def test_facets_of_what_is_no_ordinary_file(emulator: Emulator, drive: Drive) -> None:
    hand, ask = drive.by(SAM), asking(emulator, "reader")
    pending = hand.begin("in/film.mp4", b"half")
    facets = {
        "pendingOperations": pending,
        "publication": drive.check_out(hand.put("in/held.docx", b"x")),
        "malware": drive.malware(hand.put("in/bad.jpg", b"x")),
        "remoteItem": hand.shortcut("in/short cut"),
        "package": hand.package("in/notes"),
        "bundle": hand.bundle("in/album"),
    }
    feed = {entry["id"]: entry for entry in ask.json(f"/drives/{drive.id}/root/delta")["value"]}
    for facet, item in facets.items():
        assert facet in ask.json(f"/drives/{drive.id}/items/{item.id}")
        assert facet in feed[item.id]
    assert feed[pending.id]["file"]["hashes"] == {}
    done = hand.finish(pending, b"half and half")
    assert (done.size, done.extra) == (13, {})
    answer = ask("GET", f"/drives/{drive.id}/items/{facets['malware'].id}/content")
    assert error(answer) == (403, "malwareDetected")


def test_content_comes_by_a_redirect_to_another_host(emulator: Emulator, drive: Drive) -> None:
    item, ask = drive.item("out/a.jpg"), asking(emulator, "reader")
    place = f"/drives/{drive.id}/items/{item.id}"
    answer = ask("GET", f"{place}/content")
    assert answer.status_code == 302
    url = answer.headers["Location"]
    assert urlsplit(url).port != urlsplit(emulator.base_url).port
    assert "reader" not in url
    assert ask("GET", url).content == b"hello"
    assert ask("GET", url, headers={"Range": "bytes=1-2"}).content == b"el"
    assert ask("GET", url, headers={"Range": "bytes=9-"}).status_code == 416
    assert ask("GET", url, headers={"Authorization": "Bearer reader"}).status_code == 401
    assert ask("GET", url + "x").status_code == 401
    assert ask("GET", f"{place}/content", headers={"If-None-Match": item.etag_header}).status_code == 304
    emulator.world.switch(ignore_range=True)
    answer = ask("GET", url, headers={"Range": "bytes=1-2"})
    assert (answer.status_code, answer.content) == (200, b"hello")
    emulator.world.later(301)
    assert ask("GET", url).status_code == 401
    emulator.world.switch(direct_content=True)
    assert ask("GET", f"{place}/content").content == b"hello"


def test_every_byte_of_content_is_counted_for_its_token(emulator: Emulator, drive: Drive) -> None:
    item = drive.item("out/a.jpg")
    place = f"/drives/{drive.id}/items/{item.id}"
    for token, path in (("reader", "content"), ("writer", "contentStream"), ("auditor", "versions/1.0/content")):
        ask = asking(emulator, token)
        answer = ask("GET", f"{place}/{path}")
        assert (ask("GET", answer.headers["Location"]) if answer.is_redirect else answer).content == b"hello"
        assert emulator.world.counted("content_bytes", token=token, drive=drive) == 5
    assert emulator.world.counted("content_bytes") == 15
    assert emulator.world.counted("download_urls", token="writer") == 0
    asking(emulator, "writer").json(f"{place}?$select=id,name")
    assert emulator.world.counted("download_urls", token="writer") == 0
    assert "@microsoft.graph.downloadUrl" in asking(emulator, "writer").json(place)
    assert emulator.world.counted("download_urls", token="writer") == 1
    assert emulator.world.counted("content_bytes", drive=emulator.world.drive("other")) == 0
    assert asking(emulator, "writer")("GET", f"{place}/thumbnails").status_code == 501
    assert emulator.world.counted("not_supported", token="writer") == 1


def test_odd_spellings_of_paths_mean_the_same(emulator: Emulator, drive: Drive) -> None:
    ask, item = asking(emulator, "reader"), drive.by(SAM).put("out/ä b/c d.jpg", b"x")
    folder = drive.item("out").id
    for path in (
        f"//drives//{quote(drive.id, safe='')}/items/{item.id}",
        f"/drives/{drive.id}/root%3A%2Fout%2F%C3%A4%20b%2Fc%20d.jpg",
        f"/drives/{drive.id}/root:/out/%C3%A4%20b/C%20D.JPG:/",
        f"/drives/{drive.id}/items/{folder}%3A%2F%C3%A4%20b%2Fc%20d.jpg%3A",
        f"/drives('{drive.id}')/items('{item.id}')",
    ):
        assert ask.json(path)["id"] == item.id
    assert error(ask("GET", f"/drives/{drive.id}/items/nothing")) == (404, "itemNotFound")
    assert error(ask("GET", "/me/messages"))[0] == 404


def test_a_connection_is_used_again(emulator: Emulator, drive: Drive) -> None:
    parts = urlsplit(emulator.base_url)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0))) as connection:
        for _ in range(3):
            head = f"GET /v1.0/drives/{drive.id}/root HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer reader\r\n\r\n"
            connection.sendall(head.encode())
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")


def test_a_restart_ends_connections_and_keeps_the_ports(emulator: Emulator, drive: Drive) -> None:
    base, parts = emulator.base_url, urlsplit(emulator.base_url)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0))) as connection:
        connection.sendall(b"GET /v1.0/ HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 401")
        emulator.restart()
        assert connection.recv(1) == b""
    assert emulator.base_url == base
    assert asking(emulator, "reader")("GET", f"/drives/{drive.id}/root").status_code == 200


def test_everything_is_there_again_after_a_kill(tmp_path: Path) -> None:
    with EmulatorProcess(tmp_path / "tenant") as emulator:
        world = emulator.world
        drive = world.drive("release")
        world.sign_in("reader", application("Reader"))
        world.allow("reader", "read", drive)
        item = drive.by(SAM).put("out/a.jpg", b"hello")
        ask, place = Asking(emulator, "reader"), f"/drives/{drive.id}/items/{item.id}"
        before, link = ask.json(place), ask.json(f"/drives/{drive.id}/root/delta")["@odata.deltaLink"]
        url = ask("GET", f"{place}/content").headers["Location"]
        emulator.kill()
        drive.by(SAM).put("out/b.jpg", b"while it was away")
        emulator.start()
        after = ask.json(place)
        assert {key: value for key, value in after.items() if "download" not in key} == {
            key: value for key, value in before.items() if "download" not in key
        }
        assert ask("GET", url).content == b"hello"
        assert [entry["name"] for entry in ask.json(link)["value"]] == ["root", "out", "b.jpg"]
        assert ask.json(f"/drives/{drive.id}/root/delta")["@odata.deltaLink"].startswith(emulator.base_url)
    with World(tmp_path / "tenant").database.transaction():
        """It is nobody's any more, and may be opened."""
