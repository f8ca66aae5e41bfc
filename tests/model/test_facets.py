"""By what entries are found: facets of known entries, of strange ones, and what items inherit."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transfer.errors import Misuse
from transfer.model.facets import Inheritance, facets_of, stated
from transfer.model.query import Query, fits, parse_hash, parse_pseudonym

ITEM, OTHER = "i-00000001", "i-00000002"
SAM, HELEN = "u_" + "5a" * 16, "u_" + "7e" * 16
AT = "2026-01-01T00:00:00.000Z"

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from([SAM, ITEM, "open-day", "\ud800"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
keys = st.sampled_from(["campaign", "clauses", "reasons", "statement", "items", "item", "person", "by", "other"])


def body(**fields: object) -> dict[str, object]:
    return {"event": "file.held", "at": AT, "i": 7, **fields}


def note(**said: object) -> str:
    return f"oneway-transfer/statement/v1\n{json.dumps(said)}\n\n— {HELEN} c2ln\n"


def test_what_an_entry_says_itself() -> None:
    facets = facets_of(
        body(item=ITEM, by=SAM, file={"bytes": 1, "sha256": "ab" * 32}, facts={"campaign": "open-day"}), inherited="x"
    )
    assert facets == ("file.held", AT, ITEM, "ab" * 32, SAM, "open-day", ())


def test_clauses_of_reasons_and_of_the_entry() -> None:
    reasons = [{"rule": "a", "clauses": ["G1", "G6"]}, {"rule": "b", "clauses": ["G6"]}]
    assert facets_of(body(facts={"reasons": reasons}), inherited=None).tags == ("clause:G1", "clause:G6")
    assert facets_of(body(facts={"clauses": ["G5"]}), inherited=None).tags == ("clause:G5",)


def test_a_person_whom_it_is_about() -> None:
    assert facets_of(body(by=HELEN, facts={"person": SAM}), inherited=None).tags == (f"person:{SAM}",)
    assert facets_of(body(by=SAM, facts={"person": SAM}), inherited=None).tags == ()
    assert facets_of(body(facts={"people": [SAM, HELEN]}), inherited=None).tags == (f"person:{SAM}", f"person:{HELEN}")
    assert facets_of(body(facts={"person": SAM + "0", "campaign": "u-1"}), inherited=None).tags == ()


def test_what_a_signed_statement_is_about() -> None:
    signed = note(by=HELEN, campaign="open-day", items=[[ITEM, "ab" * 32], [OTHER, "cd" * 32]])
    facets = facets_of(body(by=HELEN, facts={"kind": "approval", "statement": signed}), inherited=None)
    assert facets.campaign == "open-day"
    assert facets.tags == (f"item:{ITEM}", f"item:{OTHER}")
    enrolled = note(by=HELEN, person=SAM)
    assert facets_of(body(by=HELEN, facts={"statement": enrolled}), inherited=None).tags == (f"person:{SAM}",)


@pytest.mark.parametrize(
    "broken", ["", "one line", "two\nlines", "h\n{\n\n", "h\n[1]\n\n", "h\n" + "[" * 100_000 + "\n\n"]
)
def test_a_statement_that_is_none_says_nothing(broken: str) -> None:
    assert stated({"statement": broken}) == {}


def test_an_item_inherits_its_campaign_and_others_do_not() -> None:
    inheritance = Inheritance(lambda index: None)
    assert inheritance.facets(body(item=ITEM, facts={"campaign": "open-day"})).campaign == "open-day"
    assert inheritance.facets(body(item=OTHER)).campaign is None
    assert inheritance.facets(body()).campaign is None
    assert inheritance.facets(body(item=ITEM, prev={"i": 0})).campaign == "open-day"
    assert inheritance.facets(body(item=ITEM, facts={"campaign": "library"})).campaign == "library"
    assert inheritance.facets(body(item=ITEM)).campaign == "library"


def test_what_was_forgotten_is_looked_up() -> None:
    asked: list[int] = []

    def look(index: int) -> str:
        asked.append(index)
        return "looked-up"

    inheritance = Inheritance(look, remembered=1)
    inheritance.facets(body(item=ITEM, facts={"campaign": "open-day"}))
    inheritance.facets(body(item=OTHER, facts={"campaign": "library"}))
    assert inheritance.facets(body(item=ITEM, prev={"i": 3})).campaign == "looked-up"
    assert inheritance.facets(body(item="i-00000009")).campaign is None  # its first entry: nothing to look up
    assert asked == [3]


@given(facts=values | st.dictionaries(keys, values), others=st.dictionaries(st.sampled_from(["file", "prev"]), values))
def test_no_entry_is_too_strange(facts: object, others: dict[str, object]) -> None:
    facets = Inheritance(lambda index: None).facets(body(item=ITEM, facts=facts, **others))
    assert facets.sha256 is None or isinstance(facets.sha256, str)
    assert list(facets.tags) == sorted(set(facets.tags))
    for text in (facets.campaign or "", *facets.tags):
        text.encode("ascii")
    for query in (Query(item=ITEM), Query(clause="G5"), Query(person=SAM), Query(sha256="ab" * 4)):
        fits(facets, query)


def test_hashes_as_people_give_them() -> None:
    assert parse_hash("ABCDEF01") == "abcdef01"
    assert parse_hash("abcdef01…") == "abcdef01"
    assert parse_hash(" " + "ab" * 32 + "\n") == "ab" * 32
    for wrong in ("", "abcdef0", "ab" * 33, "ghijklmn", "ab" * 32 + "'"):
        with pytest.raises(Misuse):
            parse_hash(wrong)


def test_pseudonyms_as_people_give_them() -> None:
    assert parse_pseudonym(SAM) == SAM
    assert parse_pseudonym(SAM[:10] + "…") == SAM[:10]
    assert parse_pseudonym("sam") is None
    assert parse_pseudonym("u_sam") is None
    for wrong in ("u_", "u_123", SAM + "0"):
        with pytest.raises(Misuse):
            parse_pseudonym(wrong)
