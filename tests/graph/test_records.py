"""What Graph answers, read into records: typical answers, odd ones, and any bytes at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.graph.faults import Unreadable
from transfer.graph.fields import parse_json
from transfer.graph.records import (
    Actor,
    Actors,
    ItemKind,
    parse_item,
    parse_page,
    parse_upload_session,
    parse_versions,
)
from transfer.graph.sharing import Grantee, Link, parse_members, parse_permissions

HASH = "SgAAAAAAAAAAAAAAAQAAAAAAAAA="
ITEM: dict[str, Any] = {
    "@microsoft.graph.downloadUrl": "https://example.test/secret",
    "id": "01ABC",
    "name": "photo.jpg",
    "size": 12,
    "eTag": '"{1},2"',
    "cTag": '"c:{1},2"',
    "parentReference": {"driveId": "b!x", "id": "01PARENT", "path": "/drive/root:"},
    "file": {"mimeType": "image/jpeg", "hashes": {"quickXorHash": HASH}},
    "createdBy": {"user": {"id": "u-1", "email": "sam@example.test", "displayName": "Sam"}, "application": {"id": "a"}},
    "lastModifiedBy": {"user": {"email": "sam@example.test"}, "group": {"id": "g"}, "user@odata.type": "#x"},
    "createdDateTime": "2026-11-22T10:00:00Z",
    "lastModifiedDateTime": "2026-11-22T12:00:00.1234567+01:00",
}
PARSERS: tuple[Callable[[bytes], object], ...] = (
    parse_page,
    parse_versions,
    parse_upload_session,
    parse_permissions,
    parse_members,
    lambda body: parse_item(parse_json(body)),
)
WORDS = st.sampled_from([
    *ITEM, "value", "deleted", "folder", "root", "remoteItem", "package", "bundle", "malware", "hashes", "quickXorHash",
    "user", "application", "device", "email", "roles", "link", "type", "scope", "grantedTo", "grantedToV2",
    "invitation", "grantedToIdentities", "grantedToIdentitiesV2", "inheritedFrom", "uploadUrl", "expirationDateTime",
    "nextExpectedRanges", "publication", "pendingOperations", "level", "@odata.nextLink", "@odata.type", HASH, "0-",
    "7-3", "2026-11-22T10:00:00Z", "9999-12-31T23:59:59-23:59", "\ud800", "",
])  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=8),
    max_leaves=40,
)


def item(**changes: Any) -> Any:
    return parse_item({key: value for key, value in {**ITEM, **changes}.items() if value is not ...})


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()), st.sampled_from(PARSERS))
def test_whatever_comes_there_is_a_record_or_our_error(body: bytes, parse: Callable[[bytes], object]) -> None:
    with suppress(Unreadable):
        parse(body)


@given(st.dictionaries(st.sampled_from(list(ITEM)), JSON, max_size=4))
def test_an_item_with_odd_parts_is_a_record_that_can_be_written_down_or_our_error(parts: dict[str, Any]) -> None:
    try:
        found = parse_item({**ITEM, **parts})
    except Unreadable:
        return
    for text in (found.id, found.name, found.parent_id, found.etag, found.quickxor):
        assert text is None or text.encode()
    assert found.size is None or found.size >= 0


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'"x"', b"{}", b"\xff", b"[" * 100_000, b'{"value": NaN}',
                                  b'{"value": {}}', b'{"value": [1]}', b'{"value": [{"id": 7}]}',
                                  b'{"value": [{"id": ""}]}', b'{"value": [' + b"9" * 5000 + b"]}"])  # fmt: skip
def test_what_is_no_page_is_told_as_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parse_page(body)


def test_an_item_as_it_usually_is() -> None:
    found = item()
    assert (found.id, found.name, found.size, found.kind) == ("01ABC", "photo.jpg", 12, ItemKind.FILE)
    assert (found.parent_id, found.drive_id, found.quickxor) == ("01PARENT", "b!x", HASH)
    assert (found.deleted, found.malware, found.pending) == (False, False, False)
    assert found.created_by == Actors(
        user=Actor(id="u-1", email="sam@example.test"), application=Actor(id="a", email=None)
    )
    assert found.modified_by == Actors(user=Actor(id=None, email="sam@example.test"), others=("group",))
    assert found.modified_at == datetime(2026, 11, 22, 11, 0, 0, 123456, UTC)
    assert "secret" not in repr(found)
    assert "Sam" not in repr(found)


@pytest.mark.parametrize(
    ("facets", "kind"),
    [
        ({}, ItemKind.FILE),
        ({"remoteItem": {"id": "x"}}, ItemKind.REMOTE),
        ({"package": {"type": "oneNote"}}, ItemKind.PACKAGE),
        ({"bundle": {}, "folder": {}}, ItemKind.BUNDLE),
        ({"folder": {}, "root": {}, "file": None}, ItemKind.ROOT),
        ({"folder": {}}, ItemKind.FOLDER),
        ({"file": None}, ItemKind.UNKNOWN),
    ],
)
def test_the_facet_that_says_it_is_no_file_of_this_drive_decides(facets: dict[str, Any], kind: ItemKind) -> None:
    assert item(**facets).kind is kind


def test_what_an_upload_under_way_shows() -> None:
    assert item(pendingOperations={"pendingContentUpdate": {"queuedDateTime": "x"}}).pending
    assert item(publication={"level": "checkout"}).pending
    assert not item(publication={"level": "published"}).pending


@pytest.mark.parametrize(
    "facet", [{"hashes": {}}, {}, {"hashes": {"quickXorHash": "A" * 27 + "="}}, {"hashes": {"quickXorHash": "short"}},
              {"hashes": {"quickXorHash": "*" * 28}}, {"hashes": {"quickXorHash": 3}}]
)  # fmt: skip
def test_a_hash_that_is_missing_or_cannot_be_is_none(facet: dict[str, Any]) -> None:
    assert item(file=facet).quickxor is None


def test_a_deleted_item_without_a_name() -> None:
    gone = item(name=..., size=..., eTag=..., deleted={"state": "deleted"}, createdBy=..., lastModifiedBy=...)
    assert gone.deleted
    assert (gone.name, gone.size, gone.created_by) == (None, None, Actors())


def test_a_name_that_no_encoding_knows_stops_no_listing() -> None:
    page = parse_page(json.dumps({"value": [ITEM, {**ITEM, "name": "\ud800.jpg"}]}).encode())
    assert [found.name for found in page.items] == ["photo.jpg", "?.jpg"]


def test_a_page_may_be_empty_and_go_on() -> None:
    page = parse_page(b'{"value": [], "@odata.nextLink": "https://next.test/"}')
    assert (page.items, page.next_link, page.delta_link) == ((), "https://next.test/", None)


def test_ranges_open_and_closed() -> None:
    session = parse_upload_session(
        b'{"uploadUrl": "https://up.test/", "expirationDateTime": "2026-11-22T10:00:00Z", '
        b'"nextExpectedRanges": ["26-", "12345-55232"]}'
    )
    assert session.expected == ((26, None), (12345, 55232))
    assert session.expires == datetime(2026, 11, 22, 10, tzinfo=UTC)


def test_versions_say_who_wrote_each() -> None:
    page = parse_versions(
        b'{"value": [{"id": "2.0", "size": 9, "lastModifiedBy": {"application": {"id": "app"}}}, {"id": "1.0"}]}'
    )
    assert [(version.id, version.size) for version in page.versions] == [("2.0", 9), ("1.0", None)]
    assert page.versions[0].modified_by.application == Actor(id="app", email=None)
    assert page.versions[1].modified_by == Actors()


def test_permissions_name_everybody_whom_any_property_names() -> None:
    page = parse_permissions(
        json.dumps({
            "value": [
                {"id": "1", "roles": ["read"],
                 "grantedToV2": {"user": {"id": "u"}, "siteUser": {"loginName": "i:0#u"}}},
                {"id": "2", "roles": [], "grantedTo": {"user": {"id": "v", "email": "v@example.test"}}},
                {"id": "3", "roles": ["write"], "link": {"type": "edit", "scope": "organization"},
                 "grantedToIdentitiesV2": [{"group": {"id": "g"}}], "inheritedFrom": {"id": "p"}},
                {"id": "4", "roles": ["read"], "invitation": {"email": "guest@example.test"}},
            ],
            "@odata.nextLink": "https://next.test/",
        }).encode()
    )  # fmt: skip
    first, second, third, fourth = page.permissions
    assert first.grantees == (
        Grantee(kind="user", id="u", email=None),
        Grantee(kind="siteUser", id=None, email="i:0#u"),
    )
    assert (second.roles, second.grantees[0].email) == ((), "v@example.test")
    assert (third.link, third.inherited) == (Link(type="edit", scope="organization"), True)
    assert third.grantees == (Grantee(kind="group", id="g", email=None),)
    assert fourth.grantees == (Grantee(kind="invitation", id=None, email="guest@example.test"),)
    assert page.next_link == "https://next.test/"


def test_members_of_a_group() -> None:
    page = parse_members(
        b'{"value": [{"@odata.type": "#microsoft.graph.user", "id": "u", "userPrincipalName": "u@example.test"}, '
        b'{"@odata.type": "#microsoft.graph.servicePrincipal", "id": "s"}]}'
    )
    assert [member.kind for member in page.members] == ["user", "servicePrincipal"]
    assert page.members[0].email == "u@example.test"
