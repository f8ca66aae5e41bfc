"""What is looked for, as a request carries it; pure, both ways, with stated maxima.

What enters on reading: a request of the gateway, parsed strictly all the same. What leaves: a `Search`, or Malformed.
"""

from __future__ import annotations

from transfer.model.search import Label, PersonalKind, Search
from transfer.sandbox.strict import Fields, Malformed

_LISTS = {  # the name, how many at most, how long each at most
    "marks": (1024, 200),
    "regions": (64, 2),
    "countries": (64, 2),
    "student_numbers": (128, 80),
    "allowed": (1024, 200),
}
_MAX_LABELS, _LONGEST_NAME = 256, 60


def render_search(search: Search) -> dict[str, object]:
    """Raises Malformed if there is more of anything than a request carries."""
    lists = {name: list(getattr(search, name)) for name in _LISTS}
    for name, texts in lists.items():
        _bounded(name, texts)
    if len(search.labels) > _MAX_LABELS:
        raise Malformed(f"more than {_MAX_LABELS} labels")
    return {
        **lists,
        "labels": [{"guid": label.guid, "name": label.name, "public": int(label.public)} for label in search.labels],
        "personal": [kind.value for kind in search.personal],
        "pictures": int(search.pictures),
    }


def parse_search(body: Fields) -> Search:
    """The inverse of `render_search`, of the object under `search`. Raises Malformed."""
    inner = body.fields("search")
    lists = {name: inner.unicode_texts(name, most=most, longest=longest) for name, (most, longest) in _LISTS.items()}
    labels = tuple(_parse_label(Fields(value)) for value in inner.items("labels", most=_MAX_LABELS))
    personal = tuple(_parse_kind(value) for value in inner.items("personal", most=len(PersonalKind)))
    pictures = bool(inner.number("pictures", most=1))
    inner.done()
    return Search(labels=labels, personal=personal, pictures=pictures, **lists)


def _bounded(name: str, texts: list[str]) -> None:
    most, longest = _LISTS[name]
    if len(texts) > most or any(len(text) > longest for text in texts):
        raise Malformed(f"more than {most} {name.replace('_', ' ')}, or one of more than {longest} characters")


def _parse_label(inner: Fields) -> Label:
    label = Label(
        guid=inner.text("guid", longest=36),
        name=inner.text("name", longest=_LONGEST_NAME),
        public=bool(inner.number("public", most=1)),
    )
    inner.done()
    return label


def _parse_kind(value: object) -> PersonalKind:
    try:
        return PersonalKind(str(value))
    except ValueError as error:
        raise Malformed("an unknown kind of personal data") from error
