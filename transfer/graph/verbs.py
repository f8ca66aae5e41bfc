"""What may be asked of Microsoft Graph, as closed lists: a client holds one list, its transport passes nothing else.

    READER   staging: changes, one item, its versions, its content
    PROBER   for `transfer doctor`: tries to see a folder and to begin an upload, where it should work and must not
    ONLOOKER release, for `transfer doctor`: what a LISTER sees, without what it does
    WRITER   release: upload sessions, one item's facts, rename and remove
    LISTER   release: changes, one item's facts, permissions, members of groups, move and remove

What enters: ids and names. What leaves: requests of the SDK's builders, not yet sent. In the release lists nothing
reaches content: no verb's path does, and every query is closed, so that no answer is asked to carry an address of
content or a thumbnail.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kiota_abstractions.request_information import RequestInformation

# Ids as the service makes them; no dot, slash, colon or percent sign, so that none can change what a path means.
_ID = r"[A-Za-z0-9!_-]{1,200}"
# Links of the service may write an id as `('id')`; what is built here never does.
_KEY = rf"(?:/{_ID}|\('{_ID}'\))"
# A name in a path: what a drive allows, and no percent sign that a second decoding would turn into something else.
_NAME = r'(?!\.{1,2}:)(?:(?!%[0-9A-Fa-f]{2})[^/\\:*?"<>|\x00-\x1f\x7f]){1,255}'
_DELTA = r"(?:microsoft\.graph\.)?delta(?:\((?:token='?[A-Za-z0-9_+=.;,!~-]*'?)?\))?"
ITEM_FIELDS = (
    "id,name,size,eTag,cTag,file,folder,package,remoteItem,bundle,root,deleted,malware,pendingOperations,publication,"
    "parentReference,createdBy,lastModifiedBy,createdDateTime,lastModifiedDateTime"
)
VERSION_FIELDS = "id,size,lastModifiedBy"
MEMBER_FIELDS = "id,mail,userPrincipalName"
# What a link that the service gave may carry; its token holds the rest of the query.
_LINK_TOKENS = frozenset({"token", "$skiptoken", "$skipToken", "$deltatoken"})
_LINK_QUERY = dict.fromkeys(_LINK_TOKENS, r".+") | {"$top": r"[0-9]{1,4}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One thing that can be asked.

    `path` matches the whole decoded path below the version; `query` what each key of the query must match, `required`
    the keys that must be there. `linked`: an answer's link may go on with it. `cost` are resource units. `content`: the
    answer is a file. `build` makes the request out of an SDK client and the verb's arguments.
    """

    name: str
    method: str
    path: re.Pattern[str]
    cost: int
    build: Callable[..., RequestInformation]
    query: tuple[tuple[str, str], ...] = ()
    required: frozenset[str] = frozenset()
    linked: bool = False
    content: bool = False


def _path(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _item(client: Any, drive: str, item: str) -> Any:
    return client.drives.by_drive_id(drive).items.by_drive_item_id(item)


def _select(request: RequestInformation, fields: str) -> RequestInformation:
    """Asks for these fields and no others: by default an item comes with the address of its content."""
    request.query_parameters["%24select"] = fields.split(",")
    return request


def _bodied(method: str, builder: Any) -> RequestInformation:
    """A request with a body of ours to a builder's address.

    The builder's own `to_post_…` wants a model of the SDK for the body, and one model costs more time than the request.
    """
    from kiota_abstractions.method import Method
    from kiota_abstractions.request_information import RequestInformation

    request = RequestInformation(Method[method], builder.url_template, builder.path_parameters)
    request.headers.try_add("Accept", "application/json")
    return request


def _by_name(client: Any, drive: str, parent: str, name: str) -> Any:
    """An item by its name in a folder: the SDK has no builder for it, but its items take `id:/name:` as an id."""
    return _item(client, drive, f"{parent}:/{name}:")


_ITEM_QUERY = (("$select", re.escape(ITEM_FIELDS)),)
_SELECTED = frozenset({"$select"})

DELTA = Verb(
    name="delta",
    method="GET",
    path=_path(rf"/drives{_KEY}/(?:items{_KEY}|root)/{_DELTA}"),
    cost=2,
    build=lambda client, drive, folder: _select(
        _item(client, drive, folder).delta.to_get_request_information(), ITEM_FIELDS
    ),
    query=_ITEM_QUERY,
    required=_SELECTED,
    linked=True,
)
ITEM = Verb(
    name="item",
    method="GET",
    path=_path(rf"/drives/{_ID}/items/{_ID}"),
    cost=1,
    build=lambda client, drive, item: _select(_item(client, drive, item).to_get_request_information(), ITEM_FIELDS),
    query=_ITEM_QUERY,
    required=_SELECTED,
)
NAMED_ITEM = Verb(
    name="named-item",
    method="GET",
    path=_path(rf"/drives/{_ID}/items/{_ID}:/{_NAME}:"),
    cost=1,
    build=lambda client, drive, parent, name: _select(
        _by_name(client, drive, parent, name).to_get_request_information(), ITEM_FIELDS
    ),
    query=_ITEM_QUERY,
    required=_SELECTED,
)
VERSIONS = Verb(
    name="versions",
    method="GET",
    path=_path(rf"/drives{_KEY}/items{_KEY}/versions"),
    cost=2,
    build=lambda client, drive, item: _select(
        _item(client, drive, item).versions.to_get_request_information(), VERSION_FIELDS
    ),
    query=(("$select", re.escape(VERSION_FIELDS)),),
    required=_SELECTED,
    linked=True,
)
CONTENT = Verb(
    name="content",
    method="GET",
    path=_path(rf"/drives/{_ID}/items/{_ID}/content"),
    cost=1,
    build=lambda client, drive, item: _item(client, drive, item).content.to_get_request_information(),
    content=True,
)
CREATE_UPLOAD = Verb(
    name="create-upload",
    method="POST",
    path=_path(rf"/drives/{_ID}/items/{_ID}:/{_NAME}:/createUploadSession"),
    cost=2,
    build=lambda client, drive, parent, name: _bodied(
        "POST", _by_name(client, drive, parent, name).create_upload_session
    ),
)
REPLACE_UPLOAD = Verb(
    name="replace-upload",
    method="POST",
    path=_path(rf"/drives/{_ID}/items/{_ID}/createUploadSession"),
    cost=2,
    build=lambda client, drive, item: _bodied("POST", _item(client, drive, item).create_upload_session),
)
CHANGE = Verb(
    name="change",
    method="PATCH",
    path=_path(rf"/drives/{_ID}/items/{_ID}"),
    cost=2,
    build=lambda client, drive, item: _bodied("PATCH", _item(client, drive, item)),
)
DELETE = Verb(
    name="delete",
    method="DELETE",
    path=_path(rf"/drives/{_ID}/items/{_ID}"),
    cost=2,
    build=lambda client, drive, item: _item(client, drive, item).to_delete_request_information(),
)
PERMISSIONS = Verb(
    name="permissions",
    method="GET",
    path=_path(rf"/drives{_KEY}/items{_KEY}/permissions"),
    cost=5,
    build=lambda client, drive, item: _item(client, drive, item).permissions.to_get_request_information(),
    linked=True,
)
MEMBERS = Verb(
    name="members",
    method="GET",
    path=_path(rf"/groups{_KEY}/transitiveMembers"),
    cost=2,
    build=lambda client, group: _select(
        client.groups.by_group_id(group).transitive_members.to_get_request_information(), MEMBER_FIELDS
    ),
    query=(("$select", re.escape(MEMBER_FIELDS)),),
    required=_SELECTED,
    linked=True,
)

READER = frozenset({DELTA, ITEM, VERSIONS, CONTENT})
PROBER = frozenset({ITEM, CREATE_UPLOAD})
ONLOOKER = frozenset({DELTA, ITEM, PERMISSIONS, MEMBERS})
WRITER = frozenset({ITEM, NAMED_ITEM, CREATE_UPLOAD, REPLACE_UPLOAD, CHANGE, DELETE})
LISTER = frozenset({DELTA, ITEM, PERMISSIONS, MEMBERS, CHANGE, DELETE})


def listed(verbs: frozenset[Verb], method: str, path: str, query: tuple[tuple[str, str], ...]) -> Verb | None:
    """The verb of a list that a request is, if any. `path` is decoded once and lies below the version.

    A link that the service gave needs none of the required keys: its token holds them.
    """
    return next((verb for verb in verbs if _is(verb, method, path, query)), None)


def _is(verb: Verb, method: str, path: str, query: tuple[tuple[str, str], ...]) -> bool:
    if verb.method != method or not verb.path.fullmatch(path):
        return False
    keys = [key for key, _ in query]
    if len(set(keys)) != len(keys):
        return False
    allowed = dict(verb.query)
    if verb.linked:
        allowed |= _LINK_QUERY
    if not all(key in allowed and re.fullmatch(allowed[key], value, re.DOTALL) for key, value in query):
        return False
    return verb.required <= set(keys) or (verb.linked and (bool(_LINK_TOKENS & set(keys)) or "(token=" in path))
