"""Every kind of entry has words, and no entry is too strange to be told of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transfer.audit.entries import Leaf
from transfer.audit.show import ShownEntry
from transfer.cli.audit_csv import row_of
from transfer.cli.sentences import SENTENCES, sentence
from transfer.cli.telling import name_in
from transfer.model.events import EventName

SAM = "u_" + "5a" * 16
values = st.recursive(
    st.none() | st.integers() | st.text() | st.sampled_from([SAM, "G5"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["rule", "code", "clauses"]), inner),
    max_leaves=8,
)
facts = st.dictionaries(
    st.sampled_from(
        ["reasons", "clauses", "scans", "findings", "media", "removed", "left", "person", "statement", "number",
         "milliseconds", "bytes", "size", "kind", "waiting_for", "landlock", "seccomp", "days"]
    ),
    values,
)  # fmt: skip


def entry(event: str, given_facts: object, **more: object) -> ShownEntry:
    body = {"event": event, "at": "2026-01-01T00:00:00.000Z", "i": 7, "by": SAM, "facts": given_facts, **more}
    leaf = Leaf(
        index=7, at="2026-01-01T00:00:00.000Z", event=event, item=None, by=SAM, sha256=None, previous=None,
        commitments=(), body=body,
    )  # fmt: skip
    return ShownEntry(leaf=leaf, private={}, erased=0)


def test_every_event_has_words() -> None:
    """A new kind of entry is told in transfer/cli/sentences.py."""
    assert set(SENTENCES) == {name.value for name in EventName}
    for name in EventName:
        told = sentence(entry(name.value, {}), {SAM: "sam"})
        assert told.endswith(".")
        assert name.value not in told, told
        assert SAM not in told


@given(st.sampled_from(sorted(SENTENCES)), facts | values, values)
def test_no_entry_is_too_strange(event: str, given_facts: object, file: object) -> None:
    strange = entry(event, given_facts, file=file, policy=file)
    assert sentence(strange, {})
    assert len(row_of(strange, {})) > 10


def test_an_event_of_a_later_release_is_named() -> None:
    assert sentence(entry("portal.opened", {}), {SAM: "sam"}) == "portal.opened by sam."


def test_what_was_erased_is_said_and_what_was_never_there_is_not() -> None:
    kept = ShownEntry(leaf=entry("file.spooled", {}).leaf, private={"name": "a.jpg"}, erased=0)
    erased = ShownEntry(leaf=kept.leaf, private={}, erased=1)
    published = ShownEntry(leaf=kept.leaf, private={}, erased=1, openings=False)
    assert [name_in(one) for one in (kept, erased, published)] == ["a.jpg", "(erased)", ""]
    assert "Taken up (erased):" in sentence(erased, {})
    assert "Taken up:" in sentence(published, {})


def test_an_exposed_folder_is_told_by_what_is_wrong_with_it() -> None:
    link = {"breach": "edit-link", "place": "item", "permission": "ab" * 32}
    told = sentence(entry("release.exposed", {"clauses": ["G5"], "breaches": [link, link], "more": 2}), {})
    assert told == "A link lets people change a file in the release folder [G5]. There is more of the kind: 3."
