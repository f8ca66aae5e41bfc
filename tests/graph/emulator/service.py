"""The service: what each request of the Graph host and of the content host does.

What enters: requests whose token and route are known. What leaves: `Answer`; `Problem` for everything that is refused.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.graph.emulator import lists, routes, shapes
from tests.graph.emulator.access import Access
from tests.graph.emulator.answers import Answer, FilePart, Problem, json_answer
from tests.graph.emulator.body import Body
from tests.graph.emulator.content import Content
from tests.graph.emulator.database import Database
from tests.graph.emulator.delta import Feed
from tests.graph.emulator.identities import Json, identity_set
from tests.graph.emulator.items import Item, Tree
from tests.graph.emulator.sharing import Sharing
from tests.graph.emulator.uploads import Uploads, require_match

_BEHAVIOURS = ("@microsoft.graph.conflictBehavior", "@name.conflictBehavior")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request: `path` decoded and below the version, header names in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Body
    token: str = ""
    route: routes.Route = field(default_factory=lambda: routes.Route(drive=""))


class Service:
    """Answers requests from the state."""

    def __init__(self, database: Database) -> None:
        self.tree = Tree(database)
        self.sharing = Sharing(self.tree)
        self.access = Access(self.tree, self.sharing)
        self.content = Content(self.tree, self.access)
        self.uploads = Uploads(self.tree)
        self._actions: dict[tuple[str, str], Callable[[Request, Item], Answer]] = {
            ("GET", ""): self._get,
            ("GET", "children"): self._children,
            ("POST", "children"): self._make_folder,
            ("GET", "delta"): self._delta,
            ("GET", "content"): self._content,
            ("GET", "contentStream"): self._stream,
            ("GET", "versions"): self._versions,
            ("GET", "permissions"): self._permissions,
            ("PATCH", ""): self._patch,
            ("DELETE", ""): self._delete,
            ("POST", "permanentDelete"): self._delete,
        }

    def graph(self, request: Request) -> Answer:
        """A request to the Graph host."""
        self.access.identity(request.token)
        if request.path.startswith("/groups/"):
            return self._group(request)
        route = request.route
        if not route.drive:
            raise Problem(404, f"Resource not found for the path {request.path}.", code="ResourceNotFound")
        drive = self.tree.drive(route.drive)
        if not route.place:
            self.access.require(request.token, "read", self.tree.item(route.drive, "root"))
            kind = {"id": drive["id"], "name": drive["name"], "driveType": drive["kind"]}
            return json_answer({**kind, "owner": {"user": {"id": drive["owner"]}} if drive["owner"] else {}})
        start = self.tree.item(route.drive, self._start(request))
        if (request.method, route.action) in {("PUT", "content"), ("POST", "createUploadSession")}:
            return self._upload(request, start)
        item = self.tree.at(start, route.path)
        self.access.require(request.token, "read" if request.method == "GET" else "write", item)
        head, _, tail = route.action.partition("/")
        if tail and head in {"permissions", "versions"}:
            return self._one_of(request, item, head, tail)
        action = self._actions.get((request.method, route.action))
        if action is None:
            self.access.count("not_supported", 1, token=request.token, drive=route.drive)
            raise Problem(501, f"{request.method} {route.action} is not emulated.")
        return action(request, item)

    def at_content(self, request: Request) -> Answer:
        """A request to the content host, which wants no token and reports one that comes."""
        if "authorization" in request.headers:
            self.access.count("leaked_authorization", 1, token="")
        if "authorization" in request.headers and self.tree.switch("refuse_authorization"):
            raise Problem(401, "The Authorization header must not be sent to this address.")
        if request.path.startswith("/download/") and request.method == "GET":
            return self.content.download(request.path, request.headers)
        if request.path.startswith("/upload/"):
            identifier = request.path.removeprefix("/upload/")
            return self.uploads.handle(identifier, request.method, request.headers, request.body)
        raise Problem(404, "There is nothing at this address.")

    def _start(self, request: Request) -> str:
        kind, _, name = request.route.place.partition("/")
        if kind != "special":
            return name or "root"
        if name != "approot":
            raise Problem(404, "The special folder was not found.")
        root = self.tree.item(request.route.drive, "root")
        return self.tree.at(root, f"Apps/{self.access.identity(request.token).name}").id

    def _shown(self, request: Request, item: Item, *, url: bool = True) -> Json:
        wanted = request.query.get("$select", "")
        blocked = item.kind != "file" or "malware" in item.extra or item.content is None
        give = url and not blocked and (not wanted or "downloadUrl" in wanted)
        document = shapes.resource(self.tree, item, self.content.address(item, request.token) if give else None)
        return shapes.selected(document, wanted) if wanted else document

    def _get(self, request: Request, item: Item) -> Answer:
        if request.headers.get("if-none-match") in {item.etag_header, item.ctag_header}:
            return Answer(status=304)
        document = self._shown(request, item)
        expanded = request.query.get("$expand", "")
        for key, who in (("createdByUser", item.created_by), ("lastModifiedByUser", item.modified_by)):
            if key in expanded and "user" in who:
                document[key] = who["user"]
        if "permissions" in expanded:
            raise Problem(400, "Permissions cannot be expanded with an item.")
        return json_answer(document, headers={"ETag": item.etag_header})

    def _children(self, request: Request, item: Item) -> Answer:
        if item.kind != "folder":
            raise Problem(400, "The item is not a folder.")
        some, document = lists.part(self.tree, request.query, self.tree.children(item), request.path)
        return json_answer({**document, "value": [self._shown(request, child) for child in some]})

    def _listed(self, request: Request, entries: list[Json]) -> Answer:
        some, document = lists.part(self.tree, request.query, entries, request.path)
        if "$select" in request.query:
            some = [shapes.selected(entry, request.query["$select"]) for entry in some]
        return json_answer({**document, "value": some})

    def _make_folder(self, request: Request, item: Item) -> Answer:
        wish = request.body.document()
        name = str(wish.get("name", ""))
        behaviour = wish.get(_BEHAVIOURS[0], wish.get(_BEHAVIOURS[1], "fail"))
        standing = self.tree.child(item, name)
        if standing is not None and standing.kind == "folder" and behaviour == "replace":
            return json_answer(shapes.resource(self.tree, standing))
        made = self.tree.create(item, name, "folder", self.access.actor(request.token))
        return json_answer(shapes.resource(self.tree, made), status=201)

    def _delta(self, request: Request, item: Item) -> Answer:
        token = request.route.argument or request.query.get("token")
        top = int(request.query["$top"]) if request.query.get("$top", "").isdigit() else 0
        exclude = "deltaexcludeparent" in request.headers
        select = request.query.get("$select", "")
        return json_answer(Feed(self.tree, item).page(token, select=select, top=top, exclude_parents=exclude))

    def _content(self, request: Request, item: Item) -> Answer:
        return self.content.redirected(item, request.token, request.headers)

    def _stream(self, request: Request, item: Item) -> Answer:
        self.content.check(item)
        self.access.count("content_requests", 1, token=request.token, drive=item.drive)
        return self.content.body(item, request.token, request.headers.get("range"))

    def _version_rows(self, item: Item) -> list[sqlite3.Row]:
        return self.tree.database.all(
            "SELECT * FROM versions WHERE drive = ? AND item = ? ORDER BY number DESC", item.drive, item.id
        )

    def _versions(self, request: Request, item: Item) -> Answer:
        return self._listed(request, [shapes.version(row) for row in self._version_rows(item)])

    def _permissions(self, request: Request, item: Item) -> Answer:
        only = None
        if not self.access.sees_all_permissions(request.token, item):
            only = self.access.identity(request.token)
        return self._listed(request, self.sharing.listed(item, only))

    def _one_of(self, request: Request, item: Item, kind: str, name: str) -> Answer:
        if kind == "permissions" and request.method == "DELETE":
            self.access.require(request.token, "owner", item)
            return Answer(status=204) if self.sharing.withdraw(name) else Problem(404, "No such permission.").answer()
        if kind == "permissions" and request.method == "GET":
            entries = self.sharing.listed(item)
        elif request.method == "GET" and name.endswith("/content"):
            self.access.count("content_requests", 1, token=request.token, drive=item.drive)
            row = next((row for row in self._version_rows(item) if f"{row['number']}.0/content" == name), None)
            if row is None:
                raise Problem(404, "The version was not found.")
            path = self.tree.blob(row["content"])
            part = FilePart(path=path, start=0, stop=path.stat().st_size, token=request.token, drive=item.drive)
            return Answer(status=200, file=part)
        else:
            entries = [shapes.version(row) for row in self._version_rows(item)]
        found = next((entry for entry in entries if entry["id"] == name), None)
        if found is None:
            raise Problem(404, "The resource could not be found.")
        return json_answer(found)

    def _patch(self, request: Request, item: Item) -> Answer:
        require_match(item, request.headers.get("if-match"))
        wish = request.body.document()
        actor = self.access.actor(request.token)
        folder = self.tree.item(item.drive, item.parent or "root")
        parent = wish.get("parentReference") or {}
        if parent.get("driveId", item.drive) != item.drive:
            raise Problem(400, "Items cannot be moved to another drive.", code="invalidRequest")
        if parent.get("id"):
            folder = self.tree.item(item.drive, str(parent["id"]))
            self.access.require(request.token, "write", folder)
        name = str(wish.get("name", item.name))
        if (folder.id, name) != (item.parent, item.name):
            standing = self.tree.child(folder, name)
            replaces = request.query.get(_BEHAVIOURS[0], wish.get(_BEHAVIOURS[0])) == "replace"
            if standing is not None and standing.id != item.id and replaces:
                self.tree.remove(standing)
            item = self.tree.relocate(item, folder, name, actor)
        elif wish:
            item = self.tree.update(item, modified_by=identity_set(actor), modified_at=self.tree.now())
        return json_answer(self._shown(request, item))

    def _delete(self, request: Request, item: Item) -> Answer:
        require_match(item, request.headers.get("if-match"))
        self.tree.remove(item)
        return Answer(status=204)

    def _upload(self, request: Request, start: Item) -> Answer:
        """Content for an item that stands or for a name in a folder: simple, or by a session."""
        standing: Item | None = None
        above, _, name = request.route.path.strip("/").rpartition("/")
        if request.route.path.strip("/"):
            folder = self.tree.at(start, above)
        else:
            standing, name = start, start.name
            folder = self.tree.item(start.drive, start.parent or "root")
        self.access.require(request.token, "write", standing or self.tree.child(folder, name) or folder)
        actor = identity_set(self.access.actor(request.token))
        match = request.headers.get("if-match")
        if request.route.action == "content":
            behaviour = request.query.get(_BEHAVIOURS[0], request.query.get(_BEHAVIOURS[1], "replace"))
            return self.uploads.simple(folder, name, request.body, actor, behaviour, match)
        require_match(standing or self.tree.child(folder, name), match, request.headers.get("if-none-match"))
        return self.uploads.begin(folder, name, standing, request.body.document(), request.token, actor)

    def _group(self, request: Request) -> Answer:
        self.access.require_directory(request.token)
        _, _, rest = request.path.partition("/groups/")
        identifier, _, what = rest.partition("/")
        if request.method != "GET" or what.partition("/")[0] not in {"transitiveMembers", "members"}:
            raise Problem(501, f"{what} of a group is not emulated.")
        if not self.sharing.knows(identifier):
            raise Problem(404, f"Resource '{identifier}' does not exist.", code="Request_ResourceNotFound")
        members = self.sharing.members(identifier, nested=what.startswith("transitive"))
        return self._listed(request, members)
