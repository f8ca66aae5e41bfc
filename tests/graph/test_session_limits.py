"""What no session can be talked into: content on the release side, other hosts, requests that are not listed."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.graph.asking import LISTS, RELEASE, session, throttle
from tests.graph.certificates import own_certificate
from tests.graph.emulator.drive import Drive
from tests.graph.emulator.emulator import Emulator
from tests.graph.emulator.identities import application, person
from transfer.errors import Misuse
from transfer.graph import verbs
from transfer.graph.faults import GraphFault, NotListed, Unreadable
from transfer.graph.identity import Certificate, FixedToken
from transfer.graph.session import DownloadingSession, Session, UploadingSession

SAM = person("Sam")


def walk(root: object) -> Iterator[tuple[str, object]]:
    """Every object that can be reached from one of ours by attributes, ours only, with how it was reached."""
    seen: set[int] = set()
    pending: list[tuple[str, object]] = [("session", root)]
    while pending:
        path, here = pending.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        yield path, here
        if type(here).__module__.startswith("transfer."):
            names = {*dir(type(here)), *getattr(here, "__dict__", {}), *getattr(here, "__slots__", ())}
            for name in sorted(names):
                pending += [(f"{path}.{name}", getattr(here, name, None))] if not name.startswith("__") else []
        elif isinstance(here, frozenset | tuple | list):
            pending += [(f"{path}[…]", part) for part in here]


@pytest.mark.parametrize("name", RELEASE)
def test_nothing_that_a_release_session_is_made_of_can_open_content(
    name: str, writer: UploadingSession, lister: Session, onlooker: Session
) -> None:
    reached = list(walk({"writer": writer, "lister": lister, "onlooker": onlooker}[name]))
    assert len(reached) > 50
    for path, thing in reached:
        last = path.rpartition(".")[2].lower()
        words = ("download", "content", "thumbnail", "preview", "copy", "stream", "versions", "open", "readinto")
        allowed = {"downloaded", "content"} if not callable(thing) else set()
        assert last in allowed or not any(word in last for word in words), path
        assert not type(thing).__name__.startswith("Download"), path
        assert not (isinstance(thing, verbs.Verb) and thing.content), path


@pytest.mark.parametrize("name", LISTS)
def test_the_sdk_at_any_depth_sends_nothing_that_is_not_listed(
    name: str, emulator: Emulator, staging: Drive, release: Drive
) -> None:
    item = staging.by(SAM).put("photo.jpg", b"photo")
    kind = {"reader": DownloadingSession, "writer": UploadingSession}.get(name, Session)
    emulator.world.sign_in("all", application("all"))
    emulator.world.allow("all", "fullcontrol", staging)
    with session(kind, LISTS[name], emulator, "all") as opened:
        client = opened._exchange._client
        at = client.drives.by_drive_id(staging.id).items.by_drive_item_id(item.id)
        attempts: list[Callable[[], Any]] = [
            at.thumbnails.get, at.children.get, at.analytics.get, at.list_item.get, at.created_by_user.get, at.get,
            at.versions.by_drive_item_version_id("1.0").content.get, at.permissions.by_permission_id("1").get,
            at.search_with_q("x").get, at.retention_label.get, at.subscriptions.get,
            client.drives.by_drive_id(staging.id).items.by_drive_item_id("root:/photo.jpg:").content.get,
            client.drives.by_drive_id(staging.id).list_.get, client.drives.by_drive_id(staging.id).get,
            client.me.get, client.sites.get, client.users.get, client.shares.get, lambda: at.content.put(b"other"),
            *(() if name == "reader" else (at.content.get,)),
        ]  # fmt: skip
        for attempt in attempts:
            with pytest.raises(NotListed):
                opened._run(attempt())
        assert (opened.requests, opened.refused) == (0, len(attempts))
    assert emulator.world.asked() == []


def tries(session: Session, *attempts: Callable[[], object]) -> None:
    """Each is refused before anything is sent, or there is no such method."""
    before = session.requests
    for attempt in attempts:
        with pytest.raises((NotListed, AttributeError)):
            attempt()
    assert session.requests == before


def test_no_public_method_of_a_release_session_gets_content(
    emulator: Emulator, release: Drive, writer: UploadingSession, lister: Session
) -> None:
    item = release.by(SAM).put("photo.jpg", b"photo")
    base = f"{emulator.base_url}/drives/{release.id}"
    address = emulator.world._service.content.address(item, "writer")
    addresses = [
        f"{base}/items/{item.id}/content", f"{base}/items/{item.id}/thumbnails", f"{base}/root:/photo.jpg:/content",
        f"{base}/items/{item.id}?$select=@microsoft.graph.downloadUrl", f"{base}/items/{item.id}/versions/1.0/content",
        f"{emulator.base_url}/$batch", address, "file:///etc/passwd", "https://evil.test/", "", "x", "http://[::",
    ]  # fmt: skip
    for opened in (writer, lister):
        assert {name for name in dir(opened) if not name.startswith("_")} <= {
            "ask", "follow", "waiting", "requests", "refused", "downloaded", "close",
            "upload", "upload_status", "upload_commit", "upload_cancel",
        }  # fmt: skip
        asks: list[tuple[verbs.Verb, str, str, dict[str, str]]] = [
            (verbs.CONTENT, release.id, item.id, {}),
            (verbs.VERSIONS, release.id, item.id, {}),
            (verbs.ITEM, release.id, f"{item.id}/content", {}),
            (verbs.ITEM, release.id, f"{item.id}:/content", {}),
            (verbs.ITEM, release.id, "../content", {}),
            (verbs.ITEM, f"{release.id}/items/{item.id}/content?x=", "x", {}),
            (verbs.ITEM, release.id, item.id, {"Prefer": "forceInfectedDownload"}),
            (verbs.ITEM, release.id, item.id, {"Host": "evil.test"}),
        ]
        tries(opened, *(partial(opened.follow, url) for url in addresses))
        tries(opened, *(partial(opened.ask, verb, *where, headers=headers) for verb, *where, headers in asks))
    for url in addresses:
        if url != address and not url.startswith("https://evil"):  # those are like any that uploads go to: see below
            tries(
                writer, *(partial(on, url) for on in (writer.upload_status, writer.upload_commit, writer.upload_cancel))
            )
    assert emulator.world.counted("content_bytes") == 0


def test_content_at_an_upload_address_does_not_come_back(
    emulator: Emulator, release: Drive, writer: UploadingSession
) -> None:
    for content in (b"photo", b"x" * 200_000, b'{"nextExpectedRanges": "secret"}', b'["secret"]'):
        item = release.by(SAM).put("photo.jpg", content)
        address = emulator.world._service.content.address(item, "writer")
        with pytest.raises(GraphFault) as told:
            writer.upload_status(address)
        assert "secret" not in str(told.value)


class Elsewhere:
    """A server that is not the service: keeps the headers of what reaches it."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        seen = self.seen

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append({name.lower(): value for name, value in self.headers.items()})
                self.send_response(200)
                self.send_header("Content-Length", "7")
                self.end_headers()
                self.wfile.write(b"content")

            do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - the names are the library's

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    server = Elsewhere()
    threading.Thread(target=server.server.serve_forever, args=(0.05,), daemon=True).start()
    yield server
    server.server.shutdown()
    server.server.server_close()


def test_a_link_that_leads_to_another_host_is_not_followed_and_no_token_goes_there(
    elsewhere: Elsewhere, staging: Drive, reader: DownloadingSession
) -> None:
    for path in ("", "/v1.0", f"/v1.0/drives/{staging.id}/root/delta?token=x"):
        with pytest.raises(NotListed):
            reader.follow(elsewhere.url + path)
    assert (elsewhere.seen, reader.requests) == ([], 0)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_anything_but_content_is_not_followed(
    status: int, emulator: Emulator, elsewhere: Elsewhere, staging: Drive, reader: DownloadingSession
) -> None:
    emulator.world.fault("status", status=status, headers={"Location": f"{elsewhere.url}/x"})
    with pytest.raises(GraphFault) as told:
        reader.ask(verbs.DELTA, staging.id, "root")
    assert told.value.status == status
    assert (elsewhere.seen, reader.requests) == ([], 1)


def test_content_that_is_sent_on_to_another_host_is_fetched_without_the_token(
    emulator: Emulator, elsewhere: Elsewhere, staging: Drive, reader: DownloadingSession
) -> None:
    item = staging.by(SAM).put("photo.jpg", b"photo")
    emulator.world.fault("redirect", path="/content$", location=f"{elsewhere.url}/x")
    with reader.download(verbs.CONTENT, staging.id, item.id) as file:
        assert file.read() == b"content"
    (headers,) = elsewhere.seen
    assert "authorization" not in headers
    assert "cookie" not in headers


def test_content_that_is_sent_on_within_the_host_goes_without_the_token_too(
    emulator: Emulator, staging: Drive, reader: DownloadingSession
) -> None:
    item = staging.by(SAM).put("photo.jpg", b"photo")
    emulator.world.fault("redirect", path="/content$", location=f"{emulator.base_url}/elsewhere", times=2)
    with reader.download(verbs.CONTENT, staging.id, item.id) as file:
        assert file.read() == b"photo"
    there = emulator.world.asked(path="/elsewhere")
    assert len(there) == 2
    assert not any(entry.authorization for entry in there)


def test_content_is_not_fetched_from_a_host_outside_without_encryption(
    emulator: Emulator, staging: Drive, reader: DownloadingSession
) -> None:
    item = staging.by(SAM).put("photo.jpg", b"photo")
    emulator.world.fault("redirect", path="/content$", location="http://192.0.2.1/x")
    with pytest.raises(Unreadable, match="not encrypted"), reader.download(verbs.CONTENT, staging.id, item.id):
        pass
    assert reader.requests == 1


def test_upload_addresses_get_no_token_wherever_they_lead(elsewhere: Elsewhere, writer: UploadingSession) -> None:
    for attempt in (writer.upload_status, writer.upload_commit, lambda url: writer.upload(url, b"photo", 0, 5)):
        with pytest.raises(GraphFault):
            attempt(f"{elsewhere.url}/upload/1")
    writer.upload_cancel(f"{elsewhere.url}/upload/1")
    assert len(elsewhere.seen) == 4
    assert not any("authorization" in headers for headers in elsewhere.seen)


@pytest.mark.parametrize("kind", [Session, UploadingSession])
def test_only_a_downloading_session_may_have_a_verb_with_content(kind: type[Session], emulator: Emulator) -> None:
    with pytest.raises(Misuse, match="content"):
        session(kind, verbs.READER, emulator, "reader")


def test_a_fixed_token_is_for_this_machine_only() -> None:
    with pytest.raises(Misuse, match="this machine"):
        Session(
            verbs=verbs.LISTER, credential=FixedToken(token="secret"), throttle=throttle(), user_agent="NONISV|x|y/1"
        )
    assert "secret" not in repr(FixedToken(token="secret"))


@pytest.mark.parametrize(
    "base_url",
    ["https://evil.test/v1.0", "http://graph.microsoft.com/v1.0", "https://graph.microsoft.com.evil.test/v1.0",
     "https://graph.microsoft.com@evil.test/v1.0", "https://evil.test#graph.microsoft.com/v1.0", "http://192.0.2.1/v1.0",
     "https://graph.microsoft.com:8443/v1.0", "https://graph.microsoft.com", "https://graph.microsoft.com/v1.0/../x",
     "http://localhost.evil.test/v1.0", "ftp://localhost/v1.0", "https://[::", ""],
)  # fmt: skip
def test_an_address_that_is_not_graph_is_misuse(base_url: str) -> None:
    with pytest.raises(Misuse, match="not Microsoft Graph"):
        Session(
            verbs=verbs.LISTER, credential=FixedToken(token="x"), throttle=throttle(), user_agent="x", base_url=base_url
        )


def test_a_certificate_that_is_none_is_misuse(tmp_path: Any) -> None:
    for path, content in ((tmp_path / "none.pem", None), (tmp_path / "odd.pem", b"not a certificate")):
        if content is not None:
            path.write_bytes(content)
            path.chmod(0o600)
        with pytest.raises(Misuse, match="cannot be used to sign in"):
            Session(
                verbs=verbs.LISTER,
                credential=Certificate(tenant="example.test", client="00000000-0000-0000-0000-000000000000", path=path),
                throttle=throttle(),
                user_agent="x",
            )
    assert not [thread for thread in threading.enumerate() if thread.name == "graph"]


@pytest.mark.parametrize("mode", [0o644, 0o602])
def test_a_key_that_is_open_to_everybody_signs_in_nowhere(tmp_path: Any, mode: int) -> None:
    path = tmp_path / "reader.pem"
    path.write_bytes(own_certificate("reader"))
    path.chmod(mode)
    credential = Certificate(tenant="example.test", client="00000000-0000-0000-0000-000000000000", path=path)

    def sign_in() -> None:
        Session(verbs=verbs.LISTER, credential=credential, throttle=throttle(), user_agent="x").close()

    with pytest.raises(Misuse, match=rf"open to everybody here \(mode {mode:04o}\).*chmod 600"):
        sign_in()
    path.chmod(0o600)
    sign_in()


def test_without_the_sdk_the_session_says_how_to_install_it() -> None:
    program = (
        "import sys\nsys.modules['msgraph'] = None\n"
        "from tests.graph.asking import *\nfrom transfer.graph.verbs import LISTER\n"
        "from transfer.errors import Misuse\n"
        "try:\n    Session(verbs=LISTER, credential=FixedToken(token='x'), throttle=throttle(), user_agent='x',"
        " base_url='http://127.0.0.1:9/v1.0')\nexcept Misuse as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.startswith("What OneDrive takes is not installed (msgraph is missing). Install it: pip"), done


def test_what_describes_a_client_loads_nothing_of_the_sdk() -> None:
    program = (
        "import sys, pkgutil, importlib, transfer.graph\n"
        "heavy = ('msgraph', 'msgraph_core', 'kiota_abstractions', 'kiota_http', 'azure', 'httpx', 'certifi')\n"
        "for found in pkgutil.iter_modules(transfer.graph.__path__):\n"
        "    if found.name not in ('exchange', 'transport'):\n"
        "        importlib.import_module('transfer.graph.' + found.name)\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
