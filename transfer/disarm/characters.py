"""Which characters a text may carry: what can be seen, and the little that emoji and some scripts need besides.

What enters: any text. What leaves: NFC text with LF line ends without control, direction, zero-width, tag, private or
unassigned characters. Kept, because staff's captions need them:

    tab and line feed
    U+FE0F, U+FE0E   once, behind a character that has two looks (☺️ and ☺︎)
    U+200D           between two emoji (👩‍🔬), and behind a virama in the scripts of India
    U+200C           behind a virama, and between two Arabic letters (Persian plurals)
    U+E0020–E007F    only as the flags of England, Scotland and Wales
    unassigned       only in the emoji blocks, so that an emoji younger than this Python stays

Everything invisible that is not listed goes, variation selectors and tags above all: they can carry any hidden text.
"""

from __future__ import annotations

import re
import unicodedata

_LINE_ENDS = re.compile("\r\n|\r|\N{NEXT LINE}|\N{LINE SEPARATOR}|\N{PARAGRAPH SEPARATOR}|\x0b|\x0c")
_FLAGS = tuple(
    "\N{WAVING BLACK FLAG}" + "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\N{CANCEL TAG}"
    for region in ("gbeng", "gbsct", "gbwls")
)
# Invisible although their category is that of a letter, a mark or a symbol.
_INVISIBLE = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0}
_GONE = {"Cc", "Cf", "Cs", "Co", "Cn"}
_ZWNJ, _ZWJ, _TEXT_LOOK, _EMOJI_LOOK = 0x200C, 0x200D, 0xFE0E, 0xFE0F
_VIRAMA = 9  # canonical combining class


def clean_characters(untrusted: str) -> str:
    """The text as it may go out. Cleaning a clean text changes nothing."""
    text = composed(untrusted)
    while (cleaned := unicodedata.normalize("NFC", _kept(text))) != text:
        text = cleaned  # taking a character out can bring two together that now compose or no longer belong
    return text


def composed(untrusted: str) -> str:
    """The text in NFC with LF line ends, with whatever invisible it has."""
    return unicodedata.normalize("NFC", _LINE_ENDS.sub("\n", untrusted))


def is_emoji(character: str) -> bool:
    """Whether the character can be part of an emoji sequence: pictographs, skin tones, regional letters."""
    number = ord(character)
    if 0x1F000 <= number <= 0x1FAFF:
        return True
    return unicodedata.category(character) in {"So", "Sk"} and 0x2000 < number < 0x10000 and number != 0x2800


def _kept(text: str) -> str:
    kept: list[str] = []
    position = 0
    while position < len(text):
        flag = next((flag for flag in _FLAGS if text.startswith(flag, position)), "")
        if flag:
            kept.append(flag)
            position += len(flag)
            continue
        if _stays(text, position):
            kept.append(text[position])
        position += 1
    return "".join(kept)


def _stays(text: str, position: int) -> bool:
    character = text[position]
    number = ord(character)
    if character in "\n\t":
        return True
    if number < 0x7F:
        return number >= 0x20
    before = text[position - 1] if position else ""
    after = text[position + 1] if position + 1 < len(text) else ""
    if number in (_TEXT_LOOK, _EMOJI_LOOK):
        return bool(before) and _has_two_looks(before)
    if number in (_ZWJ, _ZWNJ):
        return _joins(number, text, position, before, after)
    if number in _INVISIBLE or 0xFE00 <= number <= 0xFE0F or 0xE0000 <= number <= 0xE0FFF:
        return False
    category = unicodedata.category(character)
    return category not in _GONE or (category == "Cn" and 0x1F000 <= number <= 0x1FAFF)


def _has_two_looks(character: str) -> bool:
    return is_emoji(character) or character in "#*0123456789©®‼⁉™ℹ〰〽㊗㊙" or 0x2190 <= ord(character) <= 0x2BFF


def _joins(number: int, text: str, position: int, before: str, after: str) -> bool:
    """RFC 5892, appendix A.1 and A.2, with Arabic letters for the joining types; and emoji sequences."""
    if not before or not after:
        return False
    if unicodedata.combining(before) == _VIRAMA:
        return unicodedata.category(after)[0] in "LM"
    if number == _ZWNJ:
        return _is_arabic_letter(before) and _is_arabic_letter(after)
    if ord(before) in (_TEXT_LOOK, _EMOJI_LOOK):
        before = text[position - 2] if position > 1 else ""
    return bool(before) and is_emoji(before) and is_emoji(after)


def _is_arabic_letter(character: str) -> bool:
    number = ord(character)
    inside = 0x0600 <= number <= 0x07BF or 0x0840 <= number <= 0x08FF
    inside = inside or 0xFB50 <= number <= 0xFDFF or 0xFE70 <= number <= 0xFEFC
    return inside and unicodedata.category(character)[0] in "LM"
