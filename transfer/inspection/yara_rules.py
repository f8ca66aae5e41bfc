"""YARA rules at work: compiled in the children's zygote, run in confined children. The only door to YARA-X.

What enters: rule files of the operator, then whole files that may be hostile. What leaves: names of rules. A rule's
machine code is made while compiling, so a confined child can run it and make none.
"""

from __future__ import annotations

import os

import yara_x

from transfer.errors import Misuse
from transfer.inspection.noticed import printable
from transfer.inspection.rule_files import RuleFiles, digest_of, parse_rule_files
from transfer.inspection.scan import eicar

LARGEST = 2**31 - 4096  # what one read gives at most; a file is looked at as a whole
BUILT_IN = "built-in"
_MOST_MATCHES = 100  # positions of one pattern that a rule may count
_MOST_LENGTH = 60  # characters of a rule's name as it is told

# Every set of rules has this one, so that there is something it must find: the EICAR test file.
_TEST_RULE = (
    "rule eicar_test_file { strings: $test = { "
    + " ".join(f"{byte:02X}" for byte in eicar())
    + " } condition: $test at 0 }"
)


class Ruler:
    """A compiled set of rules. `rules` is the digest of its files."""

    def __init__(self, scanner: yara_x.Scanner, *, rules: str) -> None:
        self._scanner = scanner
        self.rules = rules

    def matches(self, content: int, size: int) -> tuple[str, ...]:
        """The rules, as `file/rule`, that match the file behind this descriptor as a whole.

        Raises ValueError where it has not exactly `size` bytes, and whatever the library raises.
        """
        if size > LARGEST:
            raise ValueError("larger than can be looked at as a whole")
        os.lseek(content, 0, os.SEEK_SET)
        data = os.read(content, size + 1)
        if len(data) != size:
            raise ValueError("another size than announced")
        return self.matching(data)

    def matching(self, data: bytes) -> tuple[str, ...]:
        """The rules that match these bytes."""
        found = self._scanner.scan(data).matching_rules
        return tuple(printable(f"{rule.namespace}/{rule.identifier}", limit=_MOST_LENGTH) for rule in found)


def ruler_from(material: int) -> Ruler:
    """The rules whose rendered files are behind this descriptor. Raises Misuse."""
    size = os.fstat(material).st_size
    rendered = b""
    while len(rendered) < size and (part := os.pread(material, size - len(rendered), len(rendered))):
        rendered += part
    return compile_rules(parse_rule_files(rendered), rules=digest_of(rendered))


def compile_rules(files: RuleFiles, *, rules: str) -> Ruler:
    """Compiles and tries them. Raises Misuse with the file, the line and the reason."""
    compiler = yara_x.Compiler(includes_enabled=False)  # a rule file names no other file
    compiler.new_namespace(BUILT_IN)
    compiler.add_source(_TEST_RULE)
    for name, text in files.files:
        compiler.new_namespace(name)
        try:
            compiler.add_source(text, origin=name)
        except yara_x.CompileError as error:
            raise _wrong(compiler.errors(), name) from error
    scanner = yara_x.Scanner(compiler.build())
    scanner.max_matches_per_pattern(_MOST_MATCHES)
    ruler = Ruler(scanner, rules=rules)
    if f"{BUILT_IN}/eicar_test_file" not in ruler.matching(eicar()):
        raise Misuse("The YARA rules do not find the test file.", advice="Reinstall the package yara-x.")
    return ruler


def _wrong(errors: list[dict[str, object]], name: str) -> Misuse:
    """The first error, in one line: `scripts.yar, line 7: unknown pattern $b: this pattern is not declared …`."""
    first = errors[0] if errors else {}
    labels = first.get("labels")
    place = labels[0] if isinstance(labels, list) and labels else {}
    line, title, text = (
        str(part) for part in (first.get("line", "?"), first.get("title", "error"), place.get("text", ""))
    )
    more = f" There are {len(errors) - 1} more." if len(errors) > 1 else ""
    reason = printable(f"{title}: {text}" if text else title, limit=200).replace("`", "'")
    return Misuse(f"The YARA rule file {printable(name)}, line {line}, is wrong: {reason}.{more}")
