"""Who else may read a key file, where its mode alone does not tell: a POSIX access list.

systemd hands a credential to a service by such a list: the file is root's, the service's user is named in the list, and
`ls` shows 0440, since the group's bits are then the mask of the list. So a key with a list is not open to others as
long as the list names nobody else.

What enters: the bytes of the attribute `system.posix_acl_access` (version 2, little-endian: tag, permissions, number).
What leaves: whether it lets anybody in but its owner and one user. Pure.
"""

from __future__ import annotations

import struct

ATTRIBUTE = "system.posix_acl_access"
_VERSION = struct.pack("<I", 2)
_ENTRY = struct.Struct("<HHI")
_USER_OBJ, _USER, _GROUP_OBJ, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_ANY = 0o7


def lets_others_in(untrusted: bytes, user: int) -> bool:
    """Whether anybody but the owner and `user` has any right; what cannot be read counts as open."""
    if len(untrusted) < len(_VERSION) or untrusted[: len(_VERSION)] != _VERSION:
        return True
    body = untrusted[len(_VERSION) :]
    if len(body) % _ENTRY.size:
        return True
    entries = list(_ENTRY.iter_unpack(body))
    mask = next((rights for tag, rights, _ in entries if tag == _MASK), _ANY)
    return any(_opens(tag, rights, number == user, mask) for tag, rights, number in entries)


def _opens(tag: int, rights: int, is_user: bool, mask: int) -> bool:
    if tag == _OTHER:
        return bool(rights & _ANY)
    if tag in {_GROUP_OBJ, _GROUP}:
        return bool(rights & mask & _ANY)
    if tag == _USER:
        return bool(rights & mask & _ANY) and not is_user
    return tag not in {_USER_OBJ, _MASK}
