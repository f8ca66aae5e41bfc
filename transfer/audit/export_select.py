"""Which entries an export is about: one item, one campaign, a period, or all; and which others their approvals rest on.

What enters: an open transaction and what is asked for. What leaves: numbers of entries. The log's index only finds:
what is exported are the entries themselves, each with its proof.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from transfer.audit.pack import MAX_ENTRIES
from transfer.errors import Misuse, NotSo
from transfer.model.events import EventName
from transfer.model.facets import ITEM, Facets
from transfer.store import journal, journal_index
from transfer.store.database import ReadTx

_AT_ONCE = 4096

# Who may decide, for which campaigns, and whether releasing was paused: every approval rests on all of these before it,
# as this shard has them or as it carries them from older ones.
_GOVERNING = frozenset(
    {
        EventName.SHARD_OPENED.value,
        EventName.PERSON_ENROLLED.value,
        EventName.PERSON_DISABLED.value,
        EventName.CAMPAIGN_APPROVED.value,
        EventName.CAMPAIGN_CLOSED.value,
        EventName.GATEWAY_PAUSED.value,
        EventName.GATEWAY_RESUMED.value,
    }
)
_CARRIED = EventName.STATEMENT_CARRIED.value
_STATED = frozenset({EventName.STATEMENT_ACCEPTED.value, _CARRIED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is asked for. `since` is inclusive, `until` exclusive, both as the log writes times; none given: all."""

    item: str | None = None
    campaign: str | None = None
    since: str | None = None
    until: str | None = None

    @property
    def kind(self) -> str:
        """As `pack.json` and the log call it."""
        if self.item is not None:
            return "item"
        if self.campaign is not None:
            return "campaign"
        return "all" if self.since is None and self.until is None else "period"

    def as_dict(self) -> dict[str, str]:
        """`kind`, and whatever was given."""
        given = {"item": self.item, "campaign": self.campaign, "since": self.since, "until": self.until}
        return {"kind": self.kind, **{key: value for key, value in given.items() if value is not None}}

    def wants(self, facets: Facets) -> bool:
        """Whether an entry is of the item or campaign, or of the period, that is asked for."""
        if self.item is not None and facets.item != self.item and ITEM + self.item not in facets.tags:
            return False
        if self.campaign is not None and facets.campaign != self.campaign:
            return False
        return (self.since is None or facets.at >= self.since) and (self.until is None or facets.at < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Numbers of entries, in order, and the log's size at its newest checkpoint, before which all of them lie."""

    asked: tuple[int, ...]
    governing: tuple[int, ...]
    size: int


def signed_size(tx: ReadTx) -> int:
    """How many entries can be proven. Raises NotSo if nothing was signed yet."""
    size = journal.head(tx).signed_size
    if not size:
        raise NotSo("Nothing of the log is signed yet.", advice="Run the gateway once first.")
    return size


def wanted(tx: ReadTx, selection: Selection, size: int) -> Iterator[int]:
    """The numbers of the entries that are asked for, in order, of the first `size`."""
    for index, facets in _index(tx, size):
        if selection.wants(facets):
            yield index


def choose(tx: ReadTx, selection: Selection) -> Chosen:
    """What a pack holds. Raises NotSo if no signed entry fits, Misuse if there are too many for a pack."""
    size = signed_size(tx)
    asked: list[int] = []
    for index in wanted(tx, selection, size):
        asked.append(index)
        _check_number(asked)
    if not asked:
        raise NotSo("No signed entry is about that.", advice="`transfer audit show` looks into the log.")
    last = _last_of_items(tx, frozenset(asked), asked[-1] + 1)
    tags = frozenset(ITEM + item for item in last)
    governing: list[int] = []
    among = frozenset(asked)
    for index, facets in _index(tx, asked[-1]):
        earlier = facets.item is not None and index < last.get(facets.item, -1)
        stated = facets.event in _STATED and not tags.isdisjoint(facets.tags)
        if index not in among and (earlier or stated or _governs(facets)):
            governing.append(index)
            _check_number(asked, governing)
    return Chosen(asked=tuple(asked), governing=tuple(governing), size=size)


def _governs(facets: Facets) -> bool:
    """Whether it is about who may decide; of what is carried over, that is whatever is about no item."""
    carried = facets.event == _CARRIED and not any(tag.startswith(ITEM) for tag in facets.tags)
    return carried or facets.event in _GOVERNING


def _last_of_items(tx: ReadTx, among: frozenset[int], end: int) -> dict[str, int]:
    """Each item that these entries are of, with the last of them: all its entries before that belong to its story."""
    return {facets.item: index for index, facets in _index(tx, end) if index in among and facets.item is not None}


def _index(tx: ReadTx, end: int) -> Iterator[tuple[int, Facets]]:
    for first in range(0, end, _AT_ONCE):
        yield from journal_index.facets(tx, first, min(first + _AT_ONCE, end)).items()


def _check_number(*lists: list[int]) -> None:
    if sum(map(len, lists)) > MAX_ENTRIES:
        raise Misuse(
            f"That would be a pack of more than {MAX_ENTRIES:,} entries.",
            advice="Export a shorter period or one item; hand over the folder `log/`, which is the whole log, or use "
            "`transfer audit export --jsonl`.",
        )
