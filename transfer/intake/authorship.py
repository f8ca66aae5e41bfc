"""Who wrote a file of a drive, and whether that is one member of staff: pure. Serves G4 and G5.

What enters: what the service says of who made an item, who changed it last, and who made each of its versions. What
leaves: the submitter, or findings. The service's word is evidence and no proof (whoever can edit can rewrite it), so
the strong barrier is that the device's account has no right on the staging folder; this is the second. Whatever is
missing or unknown counts against the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from transfer.graph.records import Actor, Actors, DriveItem, Version
from transfer.model.ends import Origin
from transfer.model.findings import Code, Finding
from transfer.model.identifiers import NOBODY, PersonId

_GUEST = "#ext#"  # in the address of everybody who was invited from elsewhere
_MOST = 8  # findings for one file; a hundred versions by strangers say no more than a few


class Seen(StrEnum):
    """Somebody who is not on the list, as reasons and the log name them."""

    DEVICE = "the device's account"
    APPLICATION = "an application"
    GUEST = "a guest"
    NOBODY = "nobody"
    NO_ID = "somebody without an id"
    STRANGER = "somebody not on the list"
    OTHER = "an unknown kind of account"


class Act(StrEnum):
    """What somebody did."""

    MADE = "its making"
    CHANGED = "its last change"
    VERSION = "a version of it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """Who may hand files in: object ids and e-mail addresses to submitters. `device`: those of the device's account."""

    people: Mapping[str, PersonId]
    device: frozenset[str]

    def who(self, actors: Actors) -> PersonId | Seen:
        """The member of staff that these identities are, or what else they are."""
        everyone = (actors.user, actors.application, actors.device)
        if any(self.device & _names(actor) for actor in everyone if actor is not None):
            return Seen.DEVICE
        user = actors.user
        if user is None:
            kinds = ((actors.application, Seen.APPLICATION), (actors.device, Seen.OTHER), (actors.others, Seen.OTHER))
            return next((seen for there, seen in kinds if there), Seen.NOBODY)
        if user.id is None:
            return Seen.NO_ID if user.email else Seen.NOBODY
        names = _names(user)
        if any(_GUEST in name for name in names):
            return Seen.GUEST
        people = {self.people[name] for name in names if name in self.people}
        return people.pop() if len(people) == 1 else Seen.STRANGER


def origin_of(item: DriveItem, versions: Iterable[Version], staff: Staff) -> Origin:
    """Who hands this file in: the one member of staff who wrote all of it. Otherwise nobody does, and findings say why.

    A file of which no version is told was written by nobody that can be known.
    """
    written = [(Act.VERSION, version.modified_by) for version in versions] or [(Act.VERSION, Actors())]
    acts = [(Act.MADE, item.created_by), (Act.CHANGED, item.modified_by), *written]
    answers = [(act, actors, staff.who(actors)) for act, actors in acts]
    strangers = [(act, actors, seen) for act, actors, seen in answers if isinstance(seen, Seen)]
    people = {who for _, _, who in answers if not isinstance(who, Seen)}
    if strangers:
        said = dict.fromkeys((seen, act) for act, _, seen in strangers)
        findings = tuple(_finding(seen, act) for seen, act in said)[:_MOST]
        first = next((actors for _, actors, seen in strangers if seen is Seen.DEVICE), strangers[0][1])
        return Origin(submitter=NOBODY, findings=findings, private={"writer": _described(first)})
    if len(people) > 1:
        return Origin(
            submitter=NOBODY, findings=(Finding(code=Code.WRITTEN_BY_SEVERAL, detail={"people": len(people)}),)
        )
    return Origin(submitter=people.pop())


def _finding(seen: Seen, act: Act) -> Finding:
    code = Code.WRITTEN_BY_DEVICE if seen is Seen.DEVICE else Code.WRITER_UNKNOWN
    return Finding(code=code, detail={"seen": seen.value, "where": act.value})


def _names(actor: Actor) -> frozenset[str]:
    return frozenset(name.casefold() for name in (actor.id, actor.email) if name)


def _described(actors: Actors) -> str:
    """For the log's salted part: ids and addresses as the service gave them."""
    known = (("user", actors.user), ("application", actors.application), ("device", actors.device))
    said = [f"{kind} {actor.id or '?'} {actor.email or '?'}" for kind, actor in known if actor is not None]
    return "; ".join([*said, *actors.others])[:1000] or "nobody"
