"""The closed lists: what each client may ask, and many ways of asking for something else."""

from __future__ import annotations

from urllib.parse import quote

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.graph.asking import DRIVE, FOLDER, ITEM, LISTS, RELEASE, Recorder, guarded
from transfer.graph import verbs
from transfer.graph.faults import NotListed
from transfer.graph.places import GRAPH
from transfer.graph.transport import DownloadTransport, Transport, UploadTransport

ITEM_URL = f"{GRAPH}/drives/{DRIVE}/items/{ITEM}"
SELECT = "$select=id,name,size"
# What leads to content, or to an address of it, or makes somebody else able to read it.
PARTS = (
    "content", "Content", "content()", "contentStream", "microsoft.graph.contentStream", "$value", "thumbnails",
    "thumbnails/0/large/content", "preview", "microsoft.graph.preview()", "versions/1.0/content", "versions/1.0",
    "versions/1.0/restoreVersion", "copy", "createLink", "invite", "analytics", "listItem",
    "listItem/driveItem/content", "subscriptions", "children", "search(q='x')", "workbook", "checkout", "follow",
    "permanentDelete", "restore", "extractSensitivityLabels", "retentionLabel", "createdByUser", "permissions/1",
    "delta/content", "createUploadSession",
)  # fmt: skip
TRICKS = (
    f"{ITEM_URL}/../{ITEM}/content",
    f"{ITEM_URL}/%2e%2e/{ITEM}/content",
    f"{ITEM_URL}%2fcontent",
    f"{ITEM_URL}%252fcontent",
    f"{ITEM_URL}%5ccontent",
    f"{ITEM_URL}\\content",
    f"{ITEM_URL}//content",
    f"{ITEM_URL}/",
    f"{ITEM_URL};/content",
    f"{ITEM_URL}:/content",
    f"{ITEM_URL}:/a.jpg:/content",
    f"{ITEM_URL}%3A/content",
    f"{ITEM_URL}%3A%2Fa.jpg%3A%2Fcontent",
    f"{ITEM_URL}:/a.jpg:/createUploadSession/../content",
    f"{ITEM_URL}:/a.jpg%3A/content:/createUploadSession",
    f"{ITEM_URL}:/..:",
    f"{ITEM_URL}:/%2e%2e:",
    f"{ITEM_URL}:/a%252fb:",
    f"{ITEM_URL}%00/content",
    f"{ITEM_URL}%C0%AFcontent",
    f"{ITEM_URL}/content%0d%0aX: y",
    f"{ITEM_URL}(content)",
    f"{GRAPH}/drives/{DRIVE}/root:/a.jpg:/content",
    f"{GRAPH}/drives/{DRIVE}/root/content",
    f"{GRAPH}/drives/{DRIVE}/items('{ITEM}')/content",
    f"{GRAPH}/drives('{DRIVE}')/items('{ITEM}')/content",
    f"{GRAPH}/drives('{DRIVE}')/items('{ITEM}/content')/permissions",
    f"{GRAPH}/drives('x')/items('y')/content?x=('{DRIVE}')/items('{ITEM}')/permissions",
    f"{GRAPH}/drives/{DRIVE}/root/delta(token='/../../content')",
    f"{GRAPH}/me/drive/items/{ITEM}/content",
    f"{GRAPH}/shares/u!aHR0cHM6/driveItem/content",
    f"{GRAPH}/sites/x/drive/items/{ITEM}/content",
    f"{GRAPH}/groups/g/drive/items/{ITEM}/content",
    f"{GRAPH}/groups/../drives/{DRIVE}/items/{ITEM}/content",
    f"{GRAPH}/$batch",
    f"{GRAPH}/%24batch",
    f"{GRAPH}/search/query",
    f"{GRAPH}/../beta/drives/{DRIVE}/items/{ITEM}/contentStream",
    f"{GRAPH}//drives/{DRIVE}/items/{ITEM}",
    f"https://graph.microsoft.com/beta/drives/{DRIVE}/items/{ITEM}",
    f"https://graph.microsoft.com/v1.0evil/drives/{DRIVE}/items/{ITEM}",
    f"https://graph.microsoft.com/drives/{DRIVE}/items/{ITEM}",
    f"{ITEM_URL}?$expand=thumbnails",
    f"{ITEM_URL}?$select=@microsoft.graph.downloadUrl",
    f"{ITEM_URL}?$select=id,@microsoft.graph.downloadUrl",
    f"{ITEM_URL}?select=content.downloadUrl",
    f"{ITEM_URL}?%24expand=children($expand=thumbnails)",
    f"{ITEM_URL}?{SELECT}&$expand=thumbnails",
    f"{ITEM_URL}?$format=pdf",
    f"{ITEM_URL}",
    f"{ITEM_URL}?{SELECT}",
    f"{ITEM_URL}/permissions?$expand=driveItem",
    f"{GRAPH}/drives/{DRIVE}/root/delta",
    f"{GRAPH}/drives/{DRIVE}/root/delta?$top=10",
    f"{GRAPH}/drives/{DRIVE}/root/delta?token=x&$expand=thumbnails",
    f"{GRAPH}/drives/{DRIVE}/root/delta?token=x&$select=@microsoft.graph.downloadUrl",
    f"{GRAPH}/drives/{DRIVE}/root/delta?token=x&token=y",
    f"{GRAPH}/drives/{DRIVE}/root/delta?token",
    f"http://graph.microsoft.com/v1.0/drives/{DRIVE}/items/{ITEM}/permissions",
    f"https://graph.microsoft.com:8443/v1.0/drives/{DRIVE}/items/{ITEM}/permissions",
    f"https://x@graph.microsoft.com/v1.0/drives/{DRIVE}/items/{ITEM}/permissions",
    f"https://graph.microsoft.com.evil.test/v1.0/drives/{DRIVE}/items/{ITEM}/permissions",
    f"https://evil.test/v1.0/drives/{DRIVE}/items/{ITEM}/permissions",
    f"https://graph.microsoft.com\\@evil.test/v1.0/drives/{DRIVE}/items/{ITEM}/permissions",
    "https://university.sharepoint.com/_layouts/15/download.aspx?UniqueId=1&tempauth=x",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get")
TRANSPORTS = (Transport, UploadTransport)


def passes(listed: frozenset[verbs.Verb], method: str, url: str, kind: type[Transport] = Transport) -> bool:
    transport = guarded(listed, Recorder(), kind=kind)
    try:
        transport.check(httpx.Request(method, url))
    except NotListed:
        assert transport.refused == 1
        return False
    return True


def expected(name: str, method: str, part: str) -> bool:
    """The one part in the list that some client may: a writer begins to replace a file."""
    return (name, method, part) == ("writer", "POST", "createUploadSession")


@pytest.mark.parametrize("kind", TRANSPORTS)
@pytest.mark.parametrize("name", RELEASE)
@pytest.mark.parametrize("method", METHODS)
def test_nothing_on_the_release_side_leads_to_content(name: str, method: str, kind: type[Transport]) -> None:
    for part in PARTS:
        assert passes(RELEASE[name], method, f"{ITEM_URL}/{part}", kind) == expected(name, method, part), part
        assert not passes(RELEASE[name], method, f"{GRAPH}/drives/{DRIVE}/root/{part}", kind), part
        by_name = f"{ITEM_URL}:/a.jpg:/{part}"
        assert passes(RELEASE[name], method, by_name, kind) == expected(name, method, part), part


@pytest.mark.parametrize("kind", TRANSPORTS)
@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("url", TRICKS)
def test_no_trick_with_a_path_a_query_or_a_host_passes(name: str, url: str, kind: type[Transport]) -> None:
    for method in ("GET", "POST", "PUT"):
        try:
            if name == "reader" and str(httpx.URL(url)) == f"{ITEM_URL}/content":
                continue  # dots that httpx has resolved already: it is the request that it says, and the reader's
            assert not passes(LISTS[name], method, url, kind)
        except httpx.InvalidURL:
            return  # not even a request can be made of it


@given(st.text(st.sampled_from("./:%\\2feEcC()?&=$#;@ ab"), max_size=24))
@example("/content")
@example("%2Fcontent")
@example("?$expand=thumbnails")
def test_whatever_follows_an_item_the_release_side_gets_no_further(tail: str) -> None:
    for listed in RELEASE.values():
        for url in (f"{ITEM_URL}{tail}", f"{ITEM_URL}/content{tail}", f"{ITEM_URL}/{tail}/content"):
            try:
                request = httpx.Request("GET", url)
                passed = guarded(listed, Recorder()).check(request)
            except (NotListed, httpx.InvalidURL):
                continue
            assert not passed.content
            assert b"content" not in request.url.raw_path.lower().partition(b":/")[0]
            assert request.url.raw_path.endswith(b":")  # a file of some name, and its facts were not even selected


def test_the_lists_are_what_they_are_meant_to_be() -> None:
    assert {verb.name for verb in verbs.READER} == {"delta", "item", "versions", "content"}
    assert {verb.method for verb in verbs.READER} == {"GET"}
    assert {verb.name for verb in verbs.LISTER} == {"delta", "item", "permissions", "members", "change", "delete"}
    assert {verb.name for verb in verbs.WRITER} == {
        "item", "named-item", "create-upload", "replace-upload", "change", "delete"
    }  # fmt: skip
    assert {verb.name for verb in verbs.LISTER - verbs.ONLOOKER} == {"change", "delete"}
    assert {verb.method for verb in verbs.ONLOOKER} == {"GET"}
    assert verbs.ONLOOKER < verbs.LISTER
    for listed in (verbs.WRITER, verbs.LISTER, verbs.PROBER, verbs.ONLOOKER):
        assert not any(verb.content for verb in listed)
    every = set().union(*LISTS.values())
    assert len({verb.name for verb in every}) == len(every)


@pytest.mark.parametrize("verb", sorted(set().union(*LISTS.values()), key=lambda verb: verb.name), ids=lambda v: v.name)
def test_each_verb_belongs_to_its_lists_only(verb: verbs.Verb) -> None:
    path = {
        "members": f"/groups/{ITEM}/transitiveMembers",
        "delta": f"/drives/{DRIVE}/items/{FOLDER}/delta()",
        "item": f"/drives/{DRIVE}/items/{ITEM}",
        "change": f"/drives/{DRIVE}/items/{ITEM}",
        "delete": f"/drives/{DRIVE}/items/{ITEM}",
        "named-item": f"/drives/{DRIVE}/items/{FOLDER}:/{quote('höhe 100% #1.jpg')}:",
        "create-upload": f"/drives/{DRIVE}/items/{FOLDER}%3A%2Fa.jpg%3A/createUploadSession",
        "replace-upload": f"/drives/{DRIVE}/items/{ITEM}/createUploadSession",
    }.get(verb.name, f"/drives/{DRIVE}/items/{ITEM}/{verb.name}")
    query = {"versions": verbs.VERSION_FIELDS, "members": verbs.MEMBER_FIELDS}.get(verb.name, verbs.ITEM_FIELDS)
    url = f"{GRAPH}{path}?$select={query}" if verb.required else f"{GRAPH}{path}"
    for name, listed in LISTS.items():
        assert passes(listed, verb.method, url) == (verb in listed), name
        kind = DownloadTransport if verb.content else UploadTransport
        assert passes(listed, verb.method, url, kind) == (verb in listed), name


@pytest.mark.parametrize(
    "link",
    [
        f"/drives/{DRIVE}/root/delta?token=aGVsbG8/+=",
        f"/drives/{DRIVE}/root/delta(token='aGVsbG8')",
        f"/drives/{DRIVE}/root/delta(token=1230919asd190410jlka)",
        f"/drives/{DRIVE}/items/{FOLDER}/microsoft.graph.delta(token='x')",
        f"/drives/{DRIVE}/items/{FOLDER}/delta?$skiptoken=x&$top=200",
        f"/drives/{DRIVE}/items/{ITEM}/permissions?$skiptoken=x",
        f"/drives('{DRIVE}')/items('{ITEM}')/permissions?$skiptoken=x",
        f"/drives('b%21{DRIVE[2:]}')/items('{FOLDER}')/delta?token=x",
    ],
)
def test_links_of_the_service_pass_where_their_verb_does(link: str) -> None:
    assert passes(verbs.LISTER, "GET", f"{GRAPH}{link}")
    assert passes(verbs.READER, "GET", f"{GRAPH}{link}") == ("permissions" not in link)
    assert not passes(verbs.WRITER, "GET", f"{GRAPH}{link}")
    assert not passes(verbs.LISTER, "POST", f"{GRAPH}{link}")
