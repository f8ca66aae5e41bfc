"""Who acts: people, guests, applications, groups, and the identity sets in which Graph reports them.

What enters: names. What leaves: `Identity` values, and JSON for `createdBy` and `lastModifiedBy`. A part may be
missing, as it is in real answers: no id, no e-mail, nobody at all.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

KINDS = ("user", "application", "device", "group", "siteUser", "siteGroup")
Json = dict[str, Any]

_SPACE = uuid.UUID("5d0f6d5e-6c56-4b0a-9c88-0f3d3c1a7a10")


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One identity of one kind; `kind` is the name of the field that carries it in an identity set."""

    kind: str
    id: str | None
    name: str
    email: str | None = None

    def json(self) -> Json:
        """As Graph writes it: what is unknown is left out."""
        fields = {"id": self.id, "displayName": self.name, "email": self.email}
        return {key: value for key, value in fields.items() if value is not None}

    def without_id(self) -> Identity:
        """The same as some answers show it: e-mail and name, no id."""
        return replace(self, id=None)


Actor = Identity | Sequence[Identity] | None


def person(name: str, email: str | None = None) -> Identity:
    """A member of the organisation; the id follows from the name, so that tests can say it twice."""
    return Identity(kind="user", id=_id("user", name), name=name, email=email or f"{_slug(name)}@university.example")


def guest(name: str) -> Identity:
    """Somebody from elsewhere who was invited."""
    email = f"{_slug(name)}_elsewhere.example#EXT#@university.example"
    return Identity(kind="user", id=_id("guest", name), name=name, email=email)


def application(name: str) -> Identity:
    """An application registration; its id is the client id."""
    return Identity(kind="application", id=_id("application", name), name=name)


def group(name: str) -> Identity:
    """A group of the directory; who is in it is told to the world."""
    return Identity(kind="group", id=_id("group", name), name=name, email=f"{_slug(name)}@university.example")


def site_group(name: str) -> Identity:
    """A group of a SharePoint site, whose members Graph does not tell."""
    return Identity(kind="siteGroup", id=str(3 + len(name)), name=name)


ANONYMOUS = Identity(kind="user", id=None, name="Anonymous")
SHAREPOINT = Identity(kind="application", id=_SPACE.hex, name="SharePoint App")


def identity_set(actor: Actor) -> Json:
    """What stands in `createdBy`: one member a kind. Nobody gives an empty set."""
    if actor is None:
        return {}
    several = [actor] if isinstance(actor, Identity) else actor
    return {identity.kind: identity.json() for identity in several}


def _id(kind: str, name: str) -> str:
    return str(uuid.uuid5(_SPACE, f"{kind}:{name}"))


def _slug(name: str) -> str:
    return "".join(character if character.isalnum() else "." for character in name.lower())
