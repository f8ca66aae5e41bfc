"""The canonical form of a policy: one text for one set of rules, whatever file it was written in. Pure.

The digest of that text stands in every decision's log entry and under every approval. Comments, order, names and the
way a value is spelled do not change it; anything that could change a verdict or a sentence does.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json

from transfer.model.events import Json
from transfer.model.recipe import Recipe
from transfer.policy.likeness import effective_comparison
from transfer.policy.rules import Personal, Platform, Policy, Rule

HEADER = "oneway-transfer/policy/v1\n"


def effective(policy: Policy) -> dict[str, Json]:
    """Everything that the policy does, as plain values; its name and history are not part of that."""
    return {
        "limits": {**dataclasses.asdict(policy.limits), "hash_bytes": policy.hash_limit_bytes},
        "media": {"formats": sorted(format_.value for format_ in policy.formats)},
        "markings": {
            "any_case": sorted(mark.casefold() for mark in policy.markings.any_case),
            "capitals": sorted(mark.upper() for mark in policy.markings.capitals),
        },
        "labels": {
            label.guid: {"name": label.name, "public": label.public}
            for label in sorted(policy.labels, key=lambda label: label.guid)
        },
        "personal": _personal(policy.personal),
        "pictures": {"read_text": policy.read_pictures},
        "approval": {
            "quorum": policy.approval.quorum,
            "four_eyes": policy.approval.four_eyes,
            "valid_days": policy.approval.valid_days,
            "roles": sorted(policy.approval.roles),
        },
        "malware": {
            "scan": policy.malware.scan.value,
            "max_signature_age_days": policy.malware.max_signature_age_days,
        },
        "rebuild": _rebuild(policy.recipe),
        "retention": dataclasses.asdict(policy.retention),
        **({} if policy.stop_when_exposed else {"release": {"stop_when_exposed": False}}),
        **({"platform": _platform(policy.platform)} if policy.platform is not None else {}),
        **({"return": effective_comparison(policy.comparison)} if policy.comparison is not None else {}),
        "rules": {rule.id: _rule(rule) for rule in policy.rules},
    }


def canonical_text(policy: Policy) -> str:
    """JSON with sorted keys and nothing between its tokens."""
    return json.dumps(effective(policy), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def sealed(policy: Policy) -> Policy:
    """The policy with its `text` and `sha256` filled in."""
    text = canonical_text(policy)
    return dataclasses.replace(policy, text=text, sha256=hashlib.sha256((HEADER + text).encode()).hexdigest())


def hashed_text(policy: Policy) -> str:
    """What the digest of a sealed policy is the SHA-256 of: the whole of it, with everything that it extends."""
    return HEADER + policy.text


def _platform(platform: Platform) -> dict[str, Json]:
    lists: dict[str, Json] = {"formats": sorted(platform.formats), "codecs": sorted(platform.codecs)}
    return dataclasses.asdict(platform) | lists


def _rebuild(recipe: Recipe) -> dict[str, Json]:
    return {
        "jpeg_quality": recipe.quality,
        "colour": recipe.colour.value,
        "films": recipe.films.value,
        "decode": recipe.decode.value,
    }


def _personal(personal: Personal) -> dict[str, Json]:
    return {
        "look_for": sorted(kind.value for kind in personal.kinds),
        "telephone_regions": sorted(personal.regions),
        "countries": sorted(personal.countries),
        "student_numbers": sorted(personal.student_numbers),
        "allowed": sorted(personal.allowed),
    }


def _rule(rule: Rule) -> dict[str, Json]:
    return {
        "clauses": sorted(rule.clauses),
        "on": sorted(code.value for code in rule.on),
        "then": rule.then,
        "message": rule.message,
        "advice": rule.advice,
    }
