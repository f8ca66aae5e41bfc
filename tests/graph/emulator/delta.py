"""Delta: what changed below a folder since a token, in pages.

Every change has a number; a token says from which to which number and how far one got. So a feed shows the latest state
of an item once, what changes during an enumeration comes in the next one, and nothing is lost between two tokens. The
switches make the feed as awkward as the real one may be. Raises `Problem` 410 with a Location for tokens that are gone.
"""

from __future__ import annotations

import base64
import bisect
import json
import random
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from tests.graph.emulator import shapes
from tests.graph.emulator.answers import Problem
from tests.graph.emulator.identities import Json
from tests.graph.emulator.items import Item, Tree, item_of

# What lies below the folder of a scope, deleted things and things in deleted folders included.
_BELOW = (
    "WITH RECURSIVE down(id) AS (SELECT ? UNION SELECT items.id FROM items JOIN down ON items.parent = down.id "
    "WHERE items.drive = ?) "
)

_ORDERS: dict[tuple[Any, ...], list[tuple[int, str]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Changes above `since`, up to `until` (0: not begun), those after `place` in the order of this enumeration.

    `again` are items that are told a second time, `empty` says that the empty page before this one was given. `select`
    and `top` are what was asked for at the beginning; links carry them on. Tokens of another era are gone.
    """

    since: int = 0
    until: int = 0
    place: int = -1
    again: tuple[str, ...] = ()
    empty: bool = False
    select: str = ""
    top: int = 0
    era: int = 0

    def text(self) -> str:
        """Opaque to clients."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode().rstrip("=")


def token_of(text: str) -> Token:
    """The token in a link; 400 for what is none of ours."""
    try:
        fields = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return Token(**{**fields, "again": tuple(fields["again"])})
    except (ValueError, TypeError, KeyError):
        raise Problem(400, "The provided token is not valid.", code="invalidRequest") from None


class Feed:
    """The delta of one folder, which may be the root."""

    def __init__(self, tree: Tree, folder: Item) -> None:
        self.tree, self.folder = tree, folder
        self.whole = folder.parent is None

    def page(self, text: str | None, *, select: str, top: int, exclude_parents: bool) -> Json:
        """One page of the feed. `text` is the token of the link, `latest`, a time, or None for everything."""
        if not self.whole and not self.tree.switch("delta_folder"):
            raise Problem(501, "view.delta can only be called on the root.", code="notSupported")
        token = self._begun(text)
        token = replace(token, select=select or token.select, top=top or token.top, era=self.tree.switch("delta_era"))
        if token.since == token.until:
            return self._last([], token)
        chance = random.Random(f"{self.tree.switch('seed')}:{token.until}:{token.place}")
        if not token.empty and chance.random() < self.tree.switch("delta_empty_pages"):
            return self._on([], replace(token, empty=True))
        size = token.top or int(self.tree.switch("page_size"))
        rows = self._rows(token, size + 1)
        told = [shapes.change(self.tree, self.tree.item(self.folder.drive, id_, deleted=True)) for id_ in token.again]
        told += [self._told(item) for _, item in rows[:size]]
        if token.since:
            told = self._with_more(told, [item for _, item in rows[:size]], exclude_parents, chance)
        if len(rows) <= size:
            return self._last(told, token)
        share = self.tree.switch("delta_duplicates")
        again = tuple(item.id for _, item in rows[:size] if chance.random() < share and self._told(item).get("name"))
        return self._on(told, replace(token, place=rows[size - 1][0], again=again, empty=False))

    def _begun(self, text: str | None) -> Token:
        latest = self._latest()
        if text is None or not text:
            return Token(until=latest)
        if text == "latest":
            return Token(since=latest, until=latest)
        if text[:4].isdigit() and text[4:5] == "-":
            return Token(since=self._at(text), until=latest)
        token = token_of(text)
        if token.era != self.tree.switch("delta_era"):
            era = self.tree.switch("delta_era")
            location = self._link(Token(until=latest, select=token.select, top=token.top, era=era))
            code = self.tree.switch("delta_gone_code")
            raise Problem(410, "The delta token is no longer valid.", code=code, headers={"Location": location})
        return token if token.until else replace(token, until=max(latest, token.since))

    def _latest(self) -> int:
        lag = float(self.tree.switch("delta_lag"))
        row = self.tree.database.one(
            "SELECT coalesce(max(change), 0) FROM (SELECT change FROM items WHERE drive = ?1 AND changed_at <= ?2 "
            "UNION SELECT entered FROM items WHERE drive = ?1 AND changed_at <= ?2)",
            *(self.folder.drive, self.tree.now() - lag if lag else 1e12),
        )
        return int(row[0]) if row else 0

    def _at(self, text: str) -> int:
        try:
            moment = datetime.fromisoformat(text.replace(" ", "+")).timestamp()
        except ValueError:
            raise Problem(400, "The provided token is not valid.") from None
        row = self.tree.database.one(
            "SELECT coalesce(max(change), 0) FROM items WHERE drive = ? AND changed_at < ?", self.folder.drive, moment
        )
        return int(row[0]) if row else 0

    def _rows(self, token: Token, count: int) -> list[tuple[int, Item]]:
        """The next changes with their place in the order."""
        order = self._order(token)
        start = bisect.bisect_right(order, token.place, key=lambda entry: entry[0])
        drive = self.folder.drive
        return [(place, self.tree.item(drive, id_, deleted=True)) for place, id_ in order[start : start + count]]

    def _order(self, token: Token) -> list[tuple[int, str]]:
        """Every change of this enumeration; worked out once, as long as nothing changes anywhere."""
        shuffle = self.tree.switch("delta_shuffle")
        state = self.tree.database.one("SELECT value FROM sequence WHERE name = 'change'")
        key = (self.tree.database.folder, self.folder.id, token.since, token.until, shuffle, state and state[0])
        if key not in _ORDERS:
            while len(_ORDERS) > 20:
                _ORDERS.pop(next(iter(_ORDERS)), None)
            _ORDERS[key] = self._worked_out(token, shuffle)
        return _ORDERS[key]

    def _worked_out(self, token: Token, shuffle: bool) -> list[tuple[int, str]]:
        place = "shuffle * 4294967296 + change" if shuffle else "change"
        # A later change of an item takes it out of this enumeration; the next one has it.
        inside = "change > ?2 AND change <= ?3"
        with_, within = "", ""
        values: tuple[Any, ...] = (self.folder.drive, token.since, token.until)
        if not self.whole:
            with_ = _BELOW.replace("?", "?4", 1).replace("drive = ?)", "drive = ?1)")
            inside = f"(({inside}) OR (entered > ?2 AND entered <= ?3 AND change <= ?3))"
            place = place.replace("change", "max(change, entered)")
            left = "SELECT item FROM departures WHERE drive = ?1 AND change <= ?3 AND ?2 > 0 AND left = ?4"
            within = f"AND (id IN down OR id IN ({left}))"
            values = (*values, self.folder.id)
        if not token.since:
            inside += " AND deleted = 0"
        rows = self.tree.database.all(
            f"{with_} SELECT id, {place} AS place FROM items WHERE drive = ?1 AND {inside} {within} ORDER BY place, id",
            *values,
        )
        return [(row["place"], row["id"]) for row in rows]

    def _told(self, item: Item) -> Json:
        if self.whole or item.deleted or item.id == self.folder.id:
            return shapes.change(self.tree, item)
        if self.folder.id not in {above.id for above in self.tree.ancestors(item)}:
            return shapes.departure(self.tree, item)
        return shapes.change(self.tree, item)

    def _with_more(self, told: list[Json], items: list[Item], bare: bool, chance: random.Random) -> list[Json]:
        """The ancestors of what changed, and with the switch a few things that did not change."""
        drive, known = self.folder.drive, {entry["id"] for entry in told}
        more: dict[str, Item] = {}
        if self.tree.switch("delta_parents"):
            for item in items:
                above = self.tree.ancestors(item)
                ids = [folder.id for folder in above]
                upto = ids.index(self.folder.id) + 1 if self.folder.id in ids else 0
                wanted = above[upto - 1 : upto] if bare else above[:upto]
                more |= {folder.id: folder for folder in wanted if not folder.deleted}
        if chance.random() < self.tree.switch("delta_unchanged"):
            row = self.tree.database.one(
                _BELOW
                + "SELECT * FROM items WHERE drive = ? AND id IN down AND deleted = 0 ORDER BY shuffle % ? LIMIT 1",
                *(self.folder.id, drive, drive, 1 + chance.randrange(97)),
            )
            if row is not None:
                more[row["id"]] = item_of(row)
        extra = [shapes.change(self.tree, item) for item in more.values() if item.id not in known]
        return told + extra if self.tree.switch("delta_shuffle") else extra[::-1] + told

    def _on(self, told: list[Json], token: Token) -> Json:
        return self._document(told, "@odata.nextLink", token)

    def _last(self, told: list[Json], token: Token) -> Json:
        ended = Token(since=token.until, select=token.select, top=token.top, era=token.era)
        return self._document(told, "@odata.deltaLink", ended)

    def _document(self, told: list[Json], key: str, token: Token) -> Json:
        context = f"{self.tree.switch('base')}/v1.0/$metadata#Collection(driveItem)"
        if token.select:
            told = [shapes.selected(entry, f"{token.select},id,deleted,root") for entry in told]
        return {"@odata.context": context, key: self._link(token), "value": told}

    def _link(self, token: Token) -> str:
        place = "root" if self.whole else f"items/{self.folder.id}"
        stem = f"{self.tree.switch('base')}/v1.0/drives/{quote(self.folder.drive, safe='!')}/{place}/delta"
        if self.tree.switch("links") == "function":
            return f"{stem}(token='{token.text()}')"
        return f"{stem}?token={token.text()}"
