"""Lists in pages: children, versions, permissions, members. What enters: all entries; what leaves: one page of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import quote

from tests.graph.emulator.identities import Json
from tests.graph.emulator.items import Tree

Entry = TypeVar("Entry")


def part(tree: Tree, query: Mapping[str, str], entries: Sequence[Entry], path: str) -> tuple[Sequence[Entry], Json]:
    """The entries of the page that the query asks for, and the document to put them in, with the link to the next."""
    usual = int(tree.switch("list_page_size"))
    size = min(int(query["$top"]) if query.get("$top", "").isdigit() else usual, 1000)
    begun = int(query["$skiptoken"]) if query.get("$skiptoken", "").isdigit() else 0
    document: Json = {"@odata.context": f"{tree.switch('base')}/v1.0/$metadata#Collection"}
    if begun + size < len(entries):
        kept = {key: value for key, value in query.items() if key in {"$select", "$top"}}
        asked = "&".join(f"{key}={quote(value, safe=',')}" for key, value in kept.items())
        link = f"{tree.switch('base')}/v1.0{quote(path, safe='/!')}?{asked}{'&' if asked else ''}"
        document["@odata.nextLink"] = f"{link}$skiptoken={begun + size}"
    return entries[begun : begun + size], document
