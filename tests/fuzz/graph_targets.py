"""What Microsoft Graph answers, and what might be asked of it, as targets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import httpx

from tests.fuzz.engine import Target
from tests.graph.asking import DRIVE, ITEM, RELEASE, Recorder, guarded
from tests.graph.test_records import ITEM as ANSWERED
from transfer.graph.faults import NotListed, Unreadable, error_codes
from transfer.graph.places import GRAPH
from transfer.graph.records import parse_page, parse_upload_session, parse_versions
from transfer.graph.sharing import parse_members, parse_permissions
from transfer.graph.transport import UploadTransport

_PERMISSION = {"id": "1", "roles": ["read"], "grantedToV2": {"user": {"id": "u"}}, "link": {"type": "view"}}
_SESSION = {
    "uploadUrl": "https://x.test/",
    "expirationDateTime": "2026-11-22T10:00:00Z",
    "nextExpectedRanges": ["26-", "1-9"],
}
_GUARDS = [guarded(listed, Recorder(), kind=UploadTransport) for listed in RELEASE.values()]
_SELECT = "id,name,size,eTag,cTag,file"


def graph_targets() -> Iterator[Target]:
    """All of them."""
    listed: dict[str, tuple[Callable[[bytes], object], dict[str, object]]] = {
        "page": (parse_page, ANSWERED),
        "versions": (parse_versions, {"id": "1.0", "size": 3, "lastModifiedBy": {"user": {"id": "u"}}}),
        "permissions": (parse_permissions, _PERMISSION),
        "members": (parse_members, {"id": "u", "@odata.type": "#microsoft.graph.user", "mail": "u@x.test"}),
    }
    for name, (parse, entry) in listed.items():
        body = json.dumps({"value": [entry], "@odata.nextLink": "https://x.test/"}).encode()
        yield Target(name=f"graph {name}", seeds=lambda body=body: [body], parse=parse, errors=(Unreadable,))
    session = json.dumps(_SESSION).encode()
    yield Target(name="graph upload", seeds=lambda: [session], parse=parse_upload_session, errors=(Unreadable,))
    error = json.dumps({"error": {"code": "gone", "innerError": {"code": "resyncRequired"}}}).encode()
    yield Target(name="graph error", seeds=lambda: [error], parse=error_codes)
    yield Target(name="graph request", seeds=_requests, parse=_request, errors=(NotListed, httpx.InvalidURL))


def _requests() -> list[bytes]:
    item = f"/drives/{DRIVE}/items/{ITEM}"
    paths = [
        f"{item}/permissions", f"{item}/content", f"{item}:/a.jpg:/createUploadSession", f"{item}/delta?token=x",
        f"/drives/{DRIVE}/root/delta(token='x')", f"{item}%3A%2Fa.jpg%3A/createUploadSession",
        f"{item}?$select={_SELECT}", f"{item}/../content", f"{item}?$expand=thumbnails", "/$batch",
    ]  # fmt: skip
    return [path.encode() for path in paths]


def _request(content: bytes) -> object:
    """Of a path: what a release client lets through has no content, in no reading of it."""
    path = content.decode("latin-1")
    passed = None
    for guard in _GUARDS:
        for method in ("GET", "POST"):
            try:
                request = httpx.Request(method, GRAPH + path)
                passed = guard.check(request)
            except NotListed:
                continue
            assert not passed.content
            at = request.url.raw_path.partition(b"?")[0]
            assert b"//" not in at
            before_name = at.lower().partition(b":/")[0].partition(b"%3a%2f")[0]
            steps = before_name.split(b"/")  # nothing, v1.0, drives, its id, items, its id, and then:
            assert not {*steps[6:]} & {b"content", b"thumbnails", b"preview", b"versions", b"copy"}, path
            assert not {*steps} & {b"$batch", b"..", b"."}, path
            assert b"%2e" not in before_name, path
    if passed is None:
        raise NotListed("none passes")
    return passed
