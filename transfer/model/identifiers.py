"""Identifiers: each is a string of one accepted spelling, and a type of its own so that they cannot be swapped.

What enters: strings from command lines, databases and messages. What leaves: the same string, typed, or `Misuse`.
"""

from __future__ import annotations

import re
from typing import NewType

from transfer.errors import Misuse

ItemId = NewType("ItemId", str)  # i-<8 of Crockford's base32>, 40 random bits, unique in a workspace
PersonId = NewType("PersonId", str)  # u_<32 hex>, a random pseudonym; the name lives in an erasable table
CampaignId = NewType("CampaignId", str)  # the name of its folder under staging/
DeviceId = NewType("DeviceId", str)
SourceId = NewType("SourceId", str)
Sha256 = NewType("Sha256", str)  # 64 lower-case hex digits

NOBODY = PersonId("u_" + "0" * 32)  # stands for whoever dropped a file where nobody is known to have

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"

_ITEM = re.compile(rf"i-[{CROCKFORD}]{{8}}")
_PERSON = re.compile(r"u_[0-9a-f]{32}")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def item_id_from_entropy(entropy: bytes) -> ItemId:
    """The identifier made of 5 random bytes."""
    if len(entropy) != 5:
        raise ValueError("an item identifier takes exactly 5 bytes of entropy")
    number = int.from_bytes(entropy, "big")
    return ItemId("i-" + "".join(CROCKFORD[(number >> shift) & 31] for shift in range(35, -1, -5)))


def person_id_from_entropy(entropy: bytes) -> PersonId:
    """The pseudonym made of 16 random bytes."""
    if len(entropy) != 16:
        raise ValueError("a pseudonym takes exactly 16 bytes of entropy")
    return PersonId("u_" + entropy.hex())


def parse_item_id(untrusted: str) -> ItemId:
    """An item's identifier, as `transfer status` prints it. Raises Misuse."""
    return ItemId(_parse(_ITEM, untrusted, "an item's identifier looks like i-7k3m9q2x; `transfer status` lists them."))


def parse_person_id(untrusted: str) -> PersonId:
    """A person's pseudonym. Raises Misuse."""
    return PersonId(_parse(_PERSON, untrusted, "a pseudonym is u_ and 32 hexadecimal digits."))


def parse_campaign_id(untrusted: str) -> CampaignId:
    """A campaign's identifier, which is also its folder's name. Raises Misuse."""
    return CampaignId(_parse(_SLUG, untrusted, _SLUG_ADVICE))


def parse_device_id(untrusted: str) -> DeviceId:
    """A device's identifier. Raises Misuse."""
    return DeviceId(_parse(_SLUG, untrusted, _SLUG_ADVICE))


def parse_source_id(untrusted: str) -> SourceId:
    """A source's identifier. Raises Misuse."""
    return SourceId(_parse(_SLUG, untrusted, _SLUG_ADVICE))


def parse_sha256(untrusted: str) -> Sha256:
    """A SHA-256 in lower-case hexadecimal. Raises Misuse."""
    return Sha256(_parse(_SHA256, untrusted, "a SHA-256 is 64 lower-case hexadecimal digits, as sha256sum prints."))


_SLUG_ADVICE = "use 1 to 64 lower-case letters, digits and hyphens, such as open-day."


def _parse(pattern: re.Pattern[str], untrusted: str, advice: str) -> str:
    if pattern.fullmatch(untrusted) is None:
        raise Misuse(f"{untrusted[:80]!a} is not well formed:", advice=advice)
    return untrusted
