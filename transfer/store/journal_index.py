"""The log's index as a whole: read beside the entries, and made again from them.

What enters: an open transaction. What leaves: facets as the rows say them, or rows that say again what the entries are.
The index is derived (`model.facets`), so making it again changes nothing that is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from sqlalchemy import bindparam, delete, select

from transfer.model.facets import Facets, Inheritance
from transfer.store.database import ReadTx, WriteTx
from transfer.store.journal_tables import AUDIT_INDEX, AUDIT_TAG
from transfer.store.journal_tags import bodies_of, campaign_of, fill
from transfer.store.prepared import Prepared

_COLUMNS = (
    AUDIT_INDEX.c.i,
    AUDIT_INDEX.c.event,
    AUDIT_INDEX.c.at,
    AUDIT_INDEX.c.item,
    AUDIT_INDEX.c.sha256,
    AUDIT_INDEX.c.by,
    AUDIT_INDEX.c.campaign,
)
_SELECT_INDEX = Prepared(
    select(*_COLUMNS)
    .where(AUDIT_INDEX.c.i >= bindparam("first"), AUDIT_INDEX.c.i < bindparam("end_"))
    .order_by(AUDIT_INDEX.c.i)
)
_SELECT_TAGS = Prepared(
    select(AUDIT_TAG.c.i, AUDIT_TAG.c.tag)
    .where(AUDIT_TAG.c.i >= bindparam("first"), AUDIT_TAG.c.i < bindparam("end_"))
    .order_by(AUDIT_TAG.c.i, AUDIT_TAG.c.tag)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """The index of `entries` entries was compared with them; `differing` had been indexed otherwise.

    It was made again (`rebuilt`) if there was any such entry, or a row for an entry that does not exist.
    """

    entries: int
    differing: int
    rebuilt: bool


def facets(tx: ReadTx, first: int, end: int) -> dict[int, Facets]:
    """The index of a range of entries by their numbers, in order, quickly; fewer if some are not there."""
    given = {"first": first, "end_": end}
    tags = {
        index: tuple(tag for _, tag in rows) for index, rows in groupby(_SELECT_TAGS.rows(tx, given), key=itemgetter(0))
    }
    return {row[0]: Facets._make((*row[1:], tags.get(row[0], ()))) for row in _SELECT_INDEX.rows(tx, given)}


def surplus(tx: ReadTx, size: int) -> int | None:
    """The number of an entry that is indexed and cannot exist, if there is any."""
    for column in (AUDIT_INDEX.c.i, AUDIT_TAG.c.i):
        for beyond in (column < 0, column >= size):
            index = tx.connection.execute(select(column).where(beyond).limit(1)).scalar()
            if index is not None:
                return int(index)
    return None


def rebuild(tx: WriteTx) -> Rebuilt:
    """Makes index and tags again if they are not what the entries say. Raises Tampered for an entry of another form."""
    entries = differing = 0
    expected = Inheritance(lambda index: campaign_of(tx.connection, index))
    for first, bodies in bodies_of(tx.connection):
        said = facets(tx, first, first + len(bodies))
        differing += sum(said.get(index) != expected.facets(body) for index, body in enumerate(bodies, first))
        entries += len(bodies)
    wrong = bool(differing) or surplus(tx, entries) is not None
    if wrong:
        tx.connection.execute(delete(AUDIT_TAG))
        tx.connection.execute(delete(AUDIT_INDEX))
        fill(tx.connection)
    return Rebuilt(entries=entries, differing=differing, rebuilt=wrong)
