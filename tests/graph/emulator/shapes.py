"""How Graph writes an item in JSON: as a resource, as an entry of a delta page, as a version."""

from __future__ import annotations

import json
import mimetypes
import sqlite3
from datetime import UTC, datetime
from urllib.parse import quote

from tests.graph.emulator.identities import Json
from tests.graph.emulator.items import Item, Tree

ZERO_HASH = "AAAAAAAAAAAAAAAAAAAAAAAAAAA="


def moment(seconds: float) -> str:
    """A time as Graph writes it, to the second."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def resource(tree: Tree, item: Item, download_url: str | None = None) -> Json:
    """A driveItem as GET, PUT, PATCH and children give it."""
    drive = tree.drive(item.drive)
    above = tree.ancestors(item)
    names = [folder.name for folder in reversed(above[:-1])]
    shown = _facets(tree, item)
    shown.update(
        {
            "@odata.etag": item.etag_header,
            "cTag": item.ctag_header,
            "name": item.name,
            "webUrl": f"https://university.example/{quote('/'.join([drive['name'], *names, item.name]))}",
        }
    )
    if item.parent is not None:
        path = "/".join([f"/drives/{item.drive}/root:", *names]) if names else f"/drives/{item.drive}/root:"
        shown["parentReference"].update({"path": path, "name": above[0].name})
    if item.kind == "folder":
        count = tree.database.one(
            "SELECT count(*) FROM items WHERE drive = ? AND parent = ? AND deleted = 0", item.drive, item.id
        )
        shown["folder"] = {"childCount": count[0] if count else 0}
    if download_url is not None:
        shown["@microsoft.graph.downloadUrl"] = download_url
    return shown


def change(tree: Tree, item: Item) -> Json:
    """A driveItem as delta tells it: without cTag and path; when it is deleted, without a name too."""
    if item.deleted:
        return departure(tree, item)
    shown = _facets(tree, item)
    shown["name"] = item.name
    if item.kind == "folder":
        shown["folder"] = {"childCount": 0}
    return shown


def departure(tree: Tree, item: Item) -> Json:
    """An item that is no longer there."""
    shown: Json = {"@odata.type": "#microsoft.graph.driveItem", "id": item.id, "deleted": {"state": "deleted"}}
    shown["parentReference"] = _parent(tree, item)
    if item.kind == "folder":
        shown["folder"] = {}
    elif item.kind == "file":
        shown.update({"size": 0, "file": {}})
        if tree.switch("delta_bogus_hash"):
            shown["file"] = {"mimeType": "application/octet-stream", "hashes": {"quickXorHash": ZERO_HASH}}
    return shown


def version(row: sqlite3.Row) -> Json:
    """An entry of the list of versions."""
    return {
        "id": f"{row['number']}.0",
        "lastModifiedBy": json.loads(row["modified_by"]),
        "lastModifiedDateTime": moment(row["modified_at"]),
        "size": row["size"],
    }


def selected(document: Json, fields: str) -> Json:
    """What `$select` leaves of an item."""
    wanted = {field.strip().partition("/")[0] for field in fields.split(",") if field.strip()}
    if "content.downloadUrl" in wanted:
        wanted.add("@microsoft.graph.downloadUrl")
    kept = {"@odata.etag", "@odata.type"}
    return {key: value for key, value in document.items() if key in wanted or key in kept}


def _facets(tree: Tree, item: Item) -> Json:
    shown: Json = {
        "id": item.id,
        "eTag": item.etag_header,
        "size": item.size,
        "createdDateTime": moment(item.created_at),
        "lastModifiedDateTime": moment(item.modified_at),
        "fileSystemInfo": {
            "createdDateTime": moment(item.created_at),
            "lastModifiedDateTime": moment(item.modified_at),
        },
    }
    if item.created_by:
        shown["createdBy"] = item.created_by
    if item.modified_by:
        shown["lastModifiedBy"] = item.modified_by
    shown["parentReference"] = _parent(tree, item)
    if item.kind == "file":
        hashes = {} if item.hash is None else {"quickXorHash": item.hash}
        shown["file"] = {"mimeType": mimetypes.guess_type(item.name)[0] or "application/octet-stream", "hashes": hashes}
    if item.parent is None:
        shown["root"] = {}
    shown.update(item.extra)
    return shown


def _parent(tree: Tree, item: Item) -> Json:
    shown = {"driveId": item.drive, "driveType": tree.drive(item.drive)["kind"]}
    if item.parent is not None:
        shown["id"] = item.parent
    return shown
