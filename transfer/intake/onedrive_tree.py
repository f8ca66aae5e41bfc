"""What lies in a watched drive, as a tree that is found by ids and told of by paths: pure.

What enters: nodes as the service told of them, parents before or after their children, some of them outside of the
staging folder. What leaves: arrivals with relative paths as a folder on a disk would have them. Paths are made of names
for the last step only: nothing is ever found by one.
"""

from __future__ import annotations

from collections.abc import Iterable

from transfer.graph.records import DriveItem, ItemKind
from transfer.model.drive import Node
from transfer.model.identifiers import SourceId
from transfer.model.states import Arrival, DriveVersion, Kind

_DEEPEST = 256  # folders; a drive allows paths of 400 characters, and a deeper chain goes round in a circle
_NANO = 1_000_000_000
_FOLDERS = frozenset({ItemKind.FOLDER.value, ItemKind.ROOT.value})
_KINDS = {ItemKind.FILE.value: Kind.FILE, ItemKind.REMOTE.value: Kind.SHORTCUT}


def node_of(item: DriveItem) -> Node | None:
    """What is kept of an item; None if it was deleted, whatever else is told of it then."""
    if item.deleted:
        return None
    hashed = item.quickxor is not None or item.size == 0 or item.malware
    return Node(
        id=item.id,
        parent=item.parent_id,
        name=_one_step(item.name),
        kind=item.kind.value,
        size=item.size or 0,
        quickxor=item.quickxor or "",
        modified_ns=0 if item.modified_at is None else int(item.modified_at.timestamp()) * _NANO,
        unfinished=item.kind is ItemKind.FILE and (item.pending or not hashed or item.size is None),
        infected=item.malware,
    )


class Tree:
    """The nodes of one source. Not for several threads at once."""

    def __init__(self, *, source: SourceId, drive: str, folder: str) -> None:
        self._source = source
        self._drive = drive
        self._folder = folder
        self._nodes: dict[str, Node] = {}
        self._found: dict[bytes, Arrival] | None = None

    def __len__(self) -> int:
        return len(self._nodes)

    def put(self, nodes: Iterable[Node]) -> None:
        """These are there, as they are now."""
        self._nodes.update((node.id, node) for node in nodes)
        self._found = None

    def remove(self, nodes: Iterable[str]) -> None:
        """These are there no longer."""
        for node in nodes:
            self._nodes.pop(node, None)
        self._found = None

    def keep_only(self, nodes: Iterable[str]) -> None:
        """A full listing has told of these and no others."""
        self._nodes = {node: self._nodes[node] for node in nodes if node in self._nodes}
        self._found = None

    def arrivals(self) -> dict[bytes, Arrival]:
        """Everything below the staging folder but folders, by path.

        What has a parent that was not told of yet is not there yet. Of two things with one path, which is how a change
        looks that was told by half, the one that changed last counts.
        """
        if self._found is None:
            found: dict[bytes, Arrival] = {}
            prefixes: dict[str, bytes | None] = {}
            for node in sorted(self._nodes.values(), key=lambda node: node.modified_ns):
                prefix = None if node.kind in _FOLDERS else self._prefix(node.parent, prefixes)
                if prefix is not None:
                    arrival = self.arrival(prefix + node.name.encode(), node)
                    found[arrival.path] = arrival
            self._found = found
        return self._found

    def node(self, path: bytes) -> Node | None:
        """What has this path, if anything."""
        arrival = self.arrivals().get(path)
        return None if arrival is None or arrival.version is None else self._nodes.get(arrival.version.item)

    def arrival(self, path: bytes, node: Node) -> Arrival:
        """A node as something that stands at this path."""
        kind = _KINDS.get(node.kind, Kind.PACKAGE)
        size = node.size if kind is Kind.FILE else 0
        return Arrival(
            source=self._source,
            path=path,
            kind=kind,
            device=0,
            inode=0,
            size=size,
            mtime_ns=node.modified_ns,
            ctime_ns=0,
            allocated=size,
            version=DriveVersion(
                drive=self._drive,
                item=node.id,
                quickxor=node.quickxor if kind is Kind.FILE else "",
                unfinished=node.unfinished,
                infected=node.infected,
            ),
        )

    def _prefix(self, folder: str | None, known: dict[str, bytes | None]) -> bytes | None:
        """The path of a folder and a slash, nothing for the staging folder itself; None if it lies outside."""
        chain: list[Node] = []
        here, prefix = folder, None
        for _ in range(_DEEPEST):
            if here is None:
                break
            if here in known:
                prefix = known[here]
                break
            node = self._nodes.get(here)
            if here == self._folder or (node is not None and node.kind == ItemKind.ROOT and self._folder == "root"):
                prefix = b""
                break
            if node is None or node.kind not in _FOLDERS:
                break
            chain.append(node)
            here = node.parent
        for node in reversed(chain):
            prefix = None if prefix is None else prefix + node.name.encode() + b"/"
            known[node.id] = prefix
        return prefix


def _one_step(name: str | None) -> str:
    """A name that is one step of a path, whatever the service says: what would be more than that shows as U+FFFD."""
    text = (name or "\ufffd").replace("/", "\ufffd").replace("\0", "\ufffd")
    return text + "\ufffd" if text in {".", ".."} else text
