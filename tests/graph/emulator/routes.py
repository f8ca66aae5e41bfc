"""Which item and which action a path names, in all the ways in which clients write the same.

`/drives/{d}/items/{i}/delta()`, `microsoft.graph.delta`, doubled slashes, percent-encoded colons, paths below an item.
What enters: a path and a query as sent. What leaves: a `Route`, or None for what is nothing of ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

_DRIVE = re.compile(r"/(?:drives/(?P<drive>[^/:]+)|(?P<mine>me/drive))(?P<rest>[/:].*)?")
_ITEM = re.compile(
    r"(?P<base>/root|/items/[^/:]+|/special/[^/:]+)(?::(?P<path>/[^:]*)(?::(?P<after>/.*)?)?|(?P<action>/.*))?"
)
_FUNCTION = re.compile(r"(?P<name>[A-Za-z]+)(?:\((?:(?P<key>\w+)=)?'?(?P<value>[^')]*)'?\))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`place` is `root`, `items/ID` or `special/NAME`, empty for the drive itself; `path` leads on from there.

    `action` is what follows, such as `content` or `permissions/ID`, without namespace and brackets; `argument` is what
    stood in the brackets.
    """

    drive: str
    place: str = ""
    path: str = ""
    action: str = ""
    argument: str | None = None


def decoded(target: str) -> tuple[str, dict[str, str]]:
    """The path below the version with single slashes, and the query; the last value of a parameter counts."""
    path, _, query = target.partition("?")
    path = re.sub(r"/{2,}", "/", unquote(path))
    path = re.sub(r"^/(v1\.0|beta|v2\.0)(?=/|$)", "", path)
    path = re.sub(r"/(drives|items)\('([^']*)'\)", r"/\1/\2", path)
    return path, dict(parse_qsl(query, keep_blank_values=True))


def route(path: str) -> Route | None:
    """What a decoded path names."""
    found = _DRIVE.fullmatch(path)
    if found is None:
        return None
    drive = found["drive"] or "me"
    if found["rest"] in {None, "/"}:
        return Route(drive=drive)
    item = _ITEM.fullmatch(found["rest"])
    if item is None:
        return None
    action, argument = _action((item["after"] or item["action"] or "").strip("/"))
    return Route(drive=drive, place=item["base"].lstrip("/"), path=item["path"] or "", action=action, argument=argument)


def cost(method: str, action: str, query: Mapping[str, str]) -> int:
    """The resource units that a request costs."""
    if action.startswith("permissions") or "permissions" in query.get("$expand", ""):
        return 5
    if method != "GET":
        return 2
    if action == "delta":
        return 1 if query.get("token") else 2
    return 2 if action in {"children", "versions"} else 1


def _action(text: str) -> tuple[str, str | None]:
    head, slash, tail = text.partition("/")
    found = _FUNCTION.fullmatch(head.removeprefix("microsoft.graph."))
    if found is None:
        return text, None
    return f"{found['name']}{slash}{tail}", found["value"]
