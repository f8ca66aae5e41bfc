"""Who may reach an item, as Microsoft Graph lists it: permissions, sharing links, members of groups.

What enters: the body of an answer, any bytes at all. What leaves: records, or `Unreadable`. A business drive never says
which permissions are inherited, and lists groups without their members.
"""

from __future__ import annotations

from dataclasses import dataclass

from transfer.graph.fields import (
    Json,
    as_identifier,
    as_list,
    as_object,
    as_text,
    optional_object,
    parse_json,
    unreadable,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A sharing link: `type` is view, edit or embed, `scope` anonymous, organization, users or existingAccess."""

    type: str | None
    scope: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grantee:
    """Who holds a permission: `kind` is user, group, application, device, siteUser, siteGroup, invitation, …"""

    kind: str
    id: str | None
    email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One permission on an item. Business drives never say `inherited`."""

    id: str
    roles: tuple[str, ...]
    link: Link | None
    grantees: tuple[Grantee, ...]
    inherited: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionPage:
    """Some or all permissions on an item."""

    permissions: tuple[Permission, ...]
    next_link: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberPage:
    """Some or all members of a group, those of its groups included."""

    members: tuple[Grantee, ...]
    next_link: str | None


def parse_permissions(body: bytes) -> PermissionPage:
    """The permissions on an item. Raises Unreadable."""
    document = as_object(parse_json(body), "a list of permissions")
    return PermissionPage(
        permissions=tuple(_permission(value) for value in as_list(document.get("value"))),
        next_link=as_text(document.get("@odata.nextLink")),
    )


def parse_members(body: bytes) -> MemberPage:
    """The members of a group; `kind` is the end of the type: user, group, servicePrincipal, … Raises Unreadable."""
    document = as_object(parse_json(body), "a list of members")
    found = [as_object(value, "a member") for value in as_list(document.get("value"))]
    return MemberPage(
        members=tuple(
            Grantee(
                kind=(as_text(value.get("@odata.type")) or "unknown").rpartition(".")[2],
                id=as_identifier(value.get("id")),
                email=as_text(value.get("mail")) or as_text(value.get("userPrincipalName")),
            )
            for value in found
        ),
        next_link=as_text(document.get("@odata.nextLink")),
    )


def _permission(value: Json) -> Permission:
    permission = as_object(value, "a permission")
    link = optional_object(permission, "link")
    return Permission(
        id=as_identifier(permission.get("id")),
        roles=tuple(_role(role) for role in as_list(permission.get("roles", []))),
        link=None if link is None else Link(type=as_text(link.get("type")), scope=as_text(link.get("scope"))),
        grantees=tuple(dict.fromkeys(_grantees(permission))),
        inherited=permission.get("inheritedFrom") is not None,
    )


def _role(value: Json) -> str:
    role = as_text(value)
    if role is None:
        raise unreadable("has a role that is none")
    return role


def _grantees(permission: dict[str, Json]) -> list[Grantee]:
    """Everybody whom any of the four properties names (two of them are old and still sent), and who was invited."""
    found = []
    for key in ("grantedTo", "grantedToV2"):
        found += _named(permission.get(key))
    for key in ("grantedToIdentities", "grantedToIdentitiesV2"):
        for value in as_list(permission.get(key) or []):
            found += _named(value)
    invitation = optional_object(permission, "invitation")
    if invitation is not None:
        found.append(Grantee(kind="invitation", id=None, email=as_text(invitation.get("email"))))
    return found


def _named(value: Json) -> list[Grantee]:
    kinds = as_object(value, "an identity") if value is not None else {}
    found = []
    for kind, grantee in kinds.items():
        if grantee is None or "@odata" in kind:
            continue
        inner = as_object(grantee, "an identity")
        email = (
            as_text(inner.get("email")) or as_text(inner.get("userPrincipalName")) or as_text(inner.get("loginName"))
        )
        found.append(Grantee(kind=kind, id=as_text(inner.get("id")), email=email))
    return found
