"""Whether a text is a program, a script, markup or a document in disguise, and no words to be read (G5). Pure.

What enters: an untrusted text. What leaves: one word for what it is, or an empty one. Captions may say `<3`, name a
function or quote a command: only what a program would run, or what is code for the most part, counts.
"""

from __future__ import annotations

import json
import re

_MOST_LINES = 400  # are looked at for what most of a text is
_MOST_JSON = 65_536

_I = re.IGNORECASE
_M = re.MULTILINE

# What some program runs or opens when it meets it, wherever it stands in a text. Spaces are bounded where two runs of
# them could share a stretch: no text may make the search slow.
_ANYWHERE = (
    (
        "markup",
        re.compile(
            r"<\s{0,9}/?\s{0,9}(?:script|iframe|embed|html|svg|applet|frameset|xsl:\w+|x:xmpmeta|rdf:RDF|plist)\b"
            r"|<\s{0,9}/?\s{0,9}(?:head|body|style|title|div|span)\s{0,9}>"
            r"|<\s{0,9}(?:object|math|meta|link|form|base|img|style|body|video|audio|input|div|span|a)\s{1,9}[\w:-]{1,40}\s{0,9}="
            r"|<!\s{0,9}(?:doctype|entity|\[CDATA)|<\?(?:php|xml|=)|<%[=@!]|<%\s{0,9}\w[^%\n]{0,400}%>",
            _I,
        ),
    ),
    (
        "script",
        re.compile(r"(?:java|vb)script:\S|data:[\w.+-]{1,60}/[\w.+-]{1,60};[\w=;-]{0,60}base64,|data:text/html", _I),
    ),
    (
        "shell",
        re.compile(r"^[ \t]*(?:\$ )?(?:sudo )?(?:curl|wget)\b[^\n|]{1,300}\| *(?:sudo )?(?:ba|z|da|k)?sh\b", _I | _M),
    ),
    ("shell", re.compile(r"^[ \t]*(?:\$ )?(?:sudo )?rm -(?:rf|fr) +[~/*.]|:\(\) ?\{ ?:\|:& ?\};:", _M)),
    (
        "powershell",
        re.compile(
            r"\bpowershell(?:\.exe)? +-(?:e|enc|encodedcommand|nop|noprofile|w|windowstyle|ep|executionpolicy)\b"
            r"|\b(?:IEX|Invoke-Expression) ?\(|\bNew-Object +(?:System\.)?Net\.WebClient|\bSet-ExecutionPolicy +\w"
            r"|\.DownloadString\(|\bAdd-Type +-",
            _I,
        ),
    ),
    (
        "batch",
        re.compile(r"^[ \t]*@echo +off\b|\bcmd(?:\.exe)? +/[ck] |\bmshta(?:\.exe)? +(?:https?|java|vb)", _I | _M),
    ),
    (
        "batch",
        re.compile(r"\brundll32(?:\.exe)? +\S{1,200},|\bregsvr32(?:\.exe)? +/|\bcertutil(?:\.exe)? +-(?:url|dec)", _I),
    ),
    (
        "macro",
        re.compile(r"\bCreateObject ?\( ?[\"']|\bWScript\.(?:Shell|Echo|CreateObject)|\bSub +Auto_?Open ?\(", _I),
    ),
    (
        "formula",
        re.compile(r"^[\"']?= ?(?:HYPERLINK|IMPORT\w+|WEBSERVICE|CALL|REGISTER|EXEC|DDE|INDIRECT) ?\(", _I | _M),
    ),
    ("formula", re.compile(r"^[\"']?[=+@-] ?[\w.]{1,40}\|'[^'\n]{0,200}'!", _M)),
    (
        "tex",
        re.compile(
            r"\\(?:documentclass|documentstyle|usepackage|immediate ?\\write18|write18|begin\{document\}|input\{\|)"
        ),
    ),
    ("rtf", re.compile(r"\{\\rtf1?\b")),
    ("key", re.compile(r"-----BEGIN [A-Z0-9 ]{3,40}-----")),
    ("encoded data", re.compile(r"^begin [0-7]{3,4} \S{1,200}\n[ -`]{20}", _M)),
    ("mail", re.compile(r"^Content-Type: *multipart/|^Content-Transfer-Encoding: *base64", _I | _M)),
    ("card", re.compile(r"^BEGIN:(?:VCARD|VCALENDAR)\s*$", _I | _M)),
    ("pdf", re.compile(r"%PDF-[12]\.\d")),
    ("postscript", re.compile(r"^%!PS", _M)),
)
_RUN = re.compile(
    r"[A-Za-z0-9+/=_-]{1000,}"
)  # no language has such a word; letters of both kinds and figures tell code
# What a text begins with when it is a file of some other program.
_BEGINNING = re.compile(
    r"\s*(?:#!|#\s*include\s*[<\"]|\[InternetShortcut\]|\[Desktop Entry\]|\[autorun\]|\[\.ShellClassInfo\]"
    r"|\[Shell\]\r?\n|Windows Registry Editor|REGEDIT4|ID;P\w*[;\r\n]|WEB\r?\n1\r?\nhttps?:"
    r"|#EXTM3U|\[playlist\]|ffconcat version|%PDF-)",
    _I,
)
# Lines that only code has. A poem may end its lines with semicolons, a list may have brackets.
_CODE_LINE = re.compile(
    r"""\s*(?:
      (?:import|package|using)\s+[\w.*{},\s]+;?$ | from\s+[\w.]+\s+import\s.+ | (?:async\s+)?def\s+\w+\(.*\).*:$
    | class\s+\w+[\w(),\s.]*[:{]$ | (?:public|private|protected|static)\s+[\w<>\[\]]+\s+\w+.*[;{(]$
    | (?:var|let|const)\s+[\w{},\s]+=.+ | (?:export\s+)?(?:async\s+)?function\s*\w*\s*\(.*
    | (?:if|for|while|switch|elif|else\s+if)\s*\(.*\)\s*\{?$ | (?:if|elif|for|while|with|try|except|else)\b[^.!?]*:$
    | (?:echo|sudo|export|chmod|mkdir|cd|rm|mv|cp|apt|apt-get|pip|set|del|copy|start|net|reg)\s+[-/\w$"'.%~]+.*
    | (?:return|raise|throw|yield|await|console\.log|printf|System\.out)\b.*[;)]$ | print\s*\(.*\);?$
    | [\w.$\[\]"']+\s*(?:=|\+=|:=|=>)\s*[^=].*;$ | [a-z_$][\w.$]*\(.*\);$ | [a-z_$]\w*\.\w+\(.*\)$ | [{}\[\]();]+,?$
    | \w+\s=\s[\w.]+\(.*\)$ | \#(?:include|define|ifdef|pragma)\b.*
    | (?:then|do|done|fi|esac|end|endif|REM\b.*|goto\s+\w+)$ | (?:CREATE|DROP)\s+TABLE\s.+
    | SELECT\s.+\sFROM\s.+ | INSERT\s+INTO\s.+ | UPDATE\s+\w+\s+SET\s.+ | DELETE\s+FROM\s.+
    )""",
    re.VERBOSE,
)
_LEAST_CODE_LINES = 3


def program_named(text: str, *, prose: bool = True) -> tuple[str, int]:
    """What the text is, if no words to be read, and at which character that shows; an empty word if it is fine.

    `prose` says that the text should be words: subtitles have lines of their own form, a caption has not.
    """
    begins = _BEGINNING.match(text)
    if begins is not None:
        return "script" if "#!" in begins.group() else "file of a program", begins.start()
    for name, pattern in _ANYWHERE:
        if (match := pattern.search(text)) is not None:
            return name, match.start()
    for run in _RUN.finditer(text):
        if all(re.search(kind, run.group()) for kind in ("[a-z]", "[A-Z]", "[0-9]")):
            return "encoded data", run.start()
    if prose and _is_json(text):
        return "json", 0
    return ("source code", 0) if prose and _is_code(text) else ("", 0)


def program_in(data: bytes) -> str:
    """What bytes are, if they are a text and no words to be read."""
    try:
        text = data.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        if error.start < len(data) - 3:
            return ""
        text = data[: error.start].decode("utf-8")
    return "" if "\0" in text else program_named(text, prose=False)[0] or ("source code" if _is_code(text) else "")


def _is_json(text: str) -> bool:
    """An object, or a list of such: numbers and words in brackets are none."""
    whole = text.strip()
    if not (whole[:1] in "{[" and whole[-1:] in "}]" and 2 < len(whole) <= _MOST_JSON):
        return whole[:1] == "{" and len(whole) > _MOST_JSON
    try:
        value = json.loads(whole)
    except (ValueError, RecursionError):
        return False
    return bool(value) if isinstance(value, dict) else any(isinstance(each, dict | list) for each in value)


def _is_code(text: str) -> bool:
    """Whether three lines or more, and three in five of all, are such as only code has them."""
    lines = [line.rstrip() for line in text.splitlines()[:_MOST_LINES] if line.strip()]
    code = sum(_CODE_LINE.match(line[:400]) is not None for line in lines)
    return code >= _LEAST_CODE_LINES and code * 5 >= len(lines) * 3
