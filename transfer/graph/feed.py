"""A folder's changes, page by page: the one way in which both ends look at a drive.

What enters: the link that was kept, if any. What leaves: a page, or that everything is to be listed again. A link comes
from the service and is followed only where the session's verbs allow it.
"""

from __future__ import annotations

from dataclasses import dataclass

from transfer.graph.faults import Gone, NotListed
from transfer.graph.records import Page, parse_page
from transfer.graph.session import Session
from transfer.graph.verbs import DELTA


@dataclass(frozen=True, slots=True, kw_only=True)
class Resync:
    """The link is too old: everything is to be listed again, from `link` or from the beginning.

    The service has two words for it (take its view, or keep what it does not tell of). To who only looks they mean the
    same: what it lists is there, what it does not list is not.
    """

    link: str | None


def changes(session: Session, *, drive: str, watched: str, link: str | None) -> Page | Resync:
    """The page behind a link; without one the first page of everything. Raises GraphFault."""
    try:
        if link is None:
            return parse_page(session.ask(DELTA, drive, watched).body)
        return parse_page(session.follow(link).body)
    except Gone as gone:
        if link is None:  # a new listing that is too old at once is no listing
            raise
        return Resync(link=gone.location)
    except NotListed:
        if link is None:
            raise
        return Resync(link=None)  # a link that leads nowhere we may go: of another service, say
