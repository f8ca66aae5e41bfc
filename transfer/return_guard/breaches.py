"""What can be wrong with who may reach a release folder in OneDrive and the folder aside, in words. Pure.

What enters: a breach and where it is. What leaves: a sentence and what mends it, without names, addresses or ids: both
the guard, who finds it, and the gateway, which tells of it, have only these words.
"""

from __future__ import annotations

from enum import StrEnum


class Place(StrEnum):
    """Where a permission holds."""

    FOLDER = "the release folder"
    ABOVE = "a folder above the release folder"
    ITEM = "a file in the release folder"
    ASIDE = "the folder aside"


class Breach(StrEnum):
    """What is wrong. To read the release folder is no harm; what is named with «sees» is wrong for the folder aside."""

    DEVICE_UNSEEN = "device-unseen"
    DEVICE_MORE = "device-more"
    GROUP_MORE = "group-more"
    GROUP_UNKNOWN = "group-unknown"
    EDIT_LINK = "edit-link"
    ANONYMOUS_LINK = "anonymous-link"
    LINK_UNKNOWN = "link-unknown"
    ROLE_UNKNOWN = "role-unknown"
    NOBODY_NAMED = "nobody-named"
    DEVICE_SEES = "device-sees"
    GROUP_SEES = "group-sees"
    LINK_SEES = "link-sees"


_SAYS = {
    Breach.DEVICE_UNSEEN: "No permission on {place} says that the device's account may read it.",
    Breach.DEVICE_MORE: "The device's account has more than the right to read {place}.",
    Breach.GROUP_MORE: "A group that the device's account is in has more than the right to read {place}.",
    Breach.GROUP_UNKNOWN: "Nobody can say whether the device's account is in a group with rights on {place}.",
    Breach.EDIT_LINK: "A link lets people change {place}.",
    Breach.ANONYMOUS_LINK: "A link lets anybody in the world open {place}.",
    Breach.LINK_UNKNOWN: "There is a link of an unknown kind to {place}.",
    Breach.ROLE_UNKNOWN: "A permission on {place} has no role, or one that cannot be judged.",
    Breach.NOBODY_NAMED: "A permission on {place} does not say whose it is.",
    Breach.DEVICE_SEES: "The device's account has a right on {place}.",
    Breach.GROUP_SEES: "A group that the device's account is in has a right on {place}.",
    Breach.LINK_SEES: "There is a link to {place}.",
}
_APART = "Let it inherit nothing that the device has, or name another folder as `aside`."
_ADVICE = {
    Breach.DEVICE_UNSEEN: "Share it with the device's account to read; and give the guard's identity full control of "
    "this site, without which it is not told who may what.",
    Breach.DEVICE_MORE: "Make it exactly «read».",
    Breach.GROUP_MORE: "Take the account out of that group, or give the group the right to read alone.",
    Breach.GROUP_UNKNOWN: "Let the guard's identity read that group, name it in the settings as one without the "
    "device, or take its rights away.",
    Breach.EDIT_LINK: "Remove the link.",
    Breach.ANONYMOUS_LINK: "Remove the link.",
    Breach.LINK_UNKNOWN: "Remove the link.",
    Breach.ROLE_UNKNOWN: "Replace the site's own permission level by «read», or remove the permission.",
    Breach.NOBODY_NAMED: "Remove the permission.",
    Breach.DEVICE_SEES: f"Share the release folder with that account, and not the library or the site. {_APART}",
    Breach.GROUP_SEES: f"Take the account out of that group, or the group's right away. {_APART}",
    Breach.LINK_SEES: "Remove the link.",
}


def sentence_of(breach: Breach, place: Place) -> str:
    """What is wrong."""
    return _SAYS[breach].format(place=place.value)


def advice_of(breach: Breach) -> str:
    """What mends it."""
    return _ADVICE[breach]
