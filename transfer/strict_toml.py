"""TOML that people write by hand, read strictly: every mistake gets its file, its line and the nearest known key.

What enters: the text of a settings or policy file, trusted no further than its owner. What leaves: a validated model,
or `Misuse` with a sentence that names the line. Nothing is skipped, guessed or filled in for an unknown key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from transfer.errors import Misuse
from transfer.model.spelling import nearest

MAX_BYTES = 1_000_000

Path_ = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)

_HEADER = re.compile(r"\s*\[(?!\[)\s*(?P<name>[^\]]+?)\s*\]\s*(?:#.*)?")
_LIST_HEADER = re.compile(r"\s*\[\[\s*(?P<name>[^\]]+?)\s*\]\]\s*(?:#.*)?")
_KEY = re.compile(r"\s*(?P<name>[A-Za-z0-9_\-.\"' ]+?)\s*=")
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")


class StrictModel(BaseModel):
    """A table of a hand-written file: unknown keys and values of another type are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Document:
    """One hand-written file: its name for messages, its values, and the line each value stands on."""

    def __init__(self, text: str, *, source: str) -> None:
        """Raises Misuse with the line if `text` is not TOML."""
        self.source = source
        self._lines = _line_numbers(text)
        try:
            self.values: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = _AT_LINE.search(str(error))
            place = f"{source}, line {found[1]}" if found else source
            said = _AT_LINE.sub("", str(error)).strip().lower()
            raise Misuse(f"{place}: this is not TOML ({said}).", advice="Correct that line.") from error

    def place(self, path: Path_) -> str:
        """`policy.toml, line 12`, for the value at this path or the table it would stand in."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._lines:
                return f"{self.source}, line {self._lines[path[:length]]}"
        return self.source

    def parse(self, model: type[Model]) -> Model:
        """The values as a model. Raises Misuse for the first mistake in the file, and says how many more there are."""
        try:
            return model.model_validate(self.values)
        except ValidationError as error:
            # an unknown key comes first: it is often the reason why another is missing
            mistakes = sorted(error.errors(include_url=False), key=lambda found: found["type"] != "extra_forbidden")
            raise self._misuse(model, mistakes[0], others=len(mistakes) - 1) from error

    def _misuse(self, model: type[BaseModel], mistake: ErrorDetails, *, others: int) -> Misuse:
        path = mistake["loc"]
        more = f" There {'is' if others == 1 else 'are'} {others} more." if others else ""
        key, table = str(path[-1]) if path else "", _table_name(path[:-1])
        if mistake["type"] == "extra_forbidden":
            known = known_keys(model, path[:-1])
            near = nearest(key, known)
            advice = f"Did you mean `{near}`?" if near else f"The keys there are: {', '.join(sorted(known))}."
            return Misuse(f"{self.place(path)}: there is no key `{key}` {table}.{more}", advice=advice)
        if mistake["type"] == "missing":
            return Misuse(f"{self.place(path)}: the key `{key}` is missing {table}.{more}", advice="Add it.")
        said = mistake["msg"].removeprefix("Value error, ").rstrip(".")
        if mistake["type"] != "value_error":
            said = said.replace("Input should be", "it should be")
            dotted = ".".join(str(part) for part in path if isinstance(part, str))
            said = f"`{dotted}` does not fit: {said}"
        return Misuse(f"{self.place(path)}: {said}.{more}", advice="Correct that line.")


def read_document(path: Path) -> Document:
    """The file at `path`. Raises Misuse if it is missing, unreadable, too large, not UTF-8 or not TOML."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise Misuse(
            f"There is no {path.name} at {path}.", advice="Make a workspace with `transfer init DIR`."
        ) from error
    except OSError as error:
        raise Misuse(f"{path} cannot be read ({error.strerror}).", advice="Check its owner and mode.") from error
    if len(content) > MAX_BYTES:
        raise Misuse(f"{path.name} is larger than {MAX_BYTES:,} bytes.", advice="Check that it is the right file.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Misuse(f"{path.name}, line {line}: this is not UTF-8.", advice="Save the file as UTF-8 text.") from error
    return Document(text, source=path.name)


def known_keys(model: type[BaseModel], path: Path_) -> set[str]:
    """The keys that the table at `path` may have, as they are spelled in the file."""
    table: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, str) and table is not None:
            table = _model_of(_fields(table).get(part))
    return set(_fields(table)) if table is not None else set()


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _model_of(annotation: object) -> type[BaseModel] | None:
    if get_origin(annotation) in {tuple, list, Union, UnionType}:
        return next((found for part in get_args(annotation) if (found := _model_of(part))), None)
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def _table_name(path: Path_) -> str:
    name = ".".join(part for part in path if isinstance(part, str))
    if not name:
        return "at the top of the file"
    return f"in [[{name}]]" if path and isinstance(path[-1], int) else f"in [{name}]"


def _line_numbers(text: str) -> Mapping[Path_, int]:
    """Where each table and key begins. Lines inside a string or list that goes over several lines are passed over."""
    lines: dict[Path_, int] = {}
    counts: dict[str, int] = {}
    table: Path_ = ()
    inside = _Inside()
    for number, line in enumerate(text.splitlines(), start=1):
        if not inside.anything:
            if found := _LIST_HEADER.fullmatch(line):
                name = found["name"]
                counts[name] = counts.get(name, -1) + 1
                table = (*_split_key(name), counts[name])
                lines.setdefault(table, number)
                lines.setdefault(_split_key(name), number)
                continue
            if found := _HEADER.fullmatch(line):
                table = _under_lists(_split_key(found["name"]), counts)
                lines.setdefault(table, number)
                continue
            if found := _KEY.match(line):
                lines.setdefault((*table, *_split_key(found["name"])), number)
        inside.follow(line)
    return lines


class _Inside:
    """Whether a line begins within a value that began on an earlier one."""

    def __init__(self) -> None:
        self._quote = ""
        self._depth = 0

    @property
    def anything(self) -> bool:
        return bool(self._quote) or self._depth > 0

    def follow(self, line: str) -> None:
        position = 0
        while position < len(line):
            if self._quote:
                step = 2 if line[position] == "\\" and self._quote[0] == '"' else 1
                if line.startswith(self._quote, position):
                    step, self._quote = len(self._quote), ""
                position += step
                continue
            character = line[position]
            if character == "#":
                return
            if character in "\"'":
                self._quote = character * 3 if line.startswith(character * 3, position) else character
                position += len(self._quote)
                continue
            self._depth = max(0, self._depth + (character in "[{") - (character in "]}"))
            position += 1
        if len(self._quote) == 1:
            self._quote = ""  # a plain string ends with its line; the TOML parser says so where it does not


def _split_key(name: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in name.split("."))


def _under_lists(name: tuple[str, ...], counts: Mapping[str, int]) -> Path_:
    """`[source.extra]` after `[[source]]` belongs to the last source."""
    if len(name) > 1 and name[0] in counts:
        return (name[0], counts[name[0]], *name[1:])
    return name
