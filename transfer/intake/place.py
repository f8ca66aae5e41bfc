"""Where a dropped file belongs, told by its relative path alone: pure.

    <campaign>/<file>          one file of a campaign
    <campaign>/<post>/<file>   files of one post, which stay together: a video and its caption

What enters: the path's bytes, as hostile as they like. What leaves: safe names and typed identifiers, never the path.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from transfer.errors import Misuse
from transfer.model.findings import Code, Finding
from transfer.model.identifiers import CampaignId, parse_campaign_id
from transfer.model.names import SafeName, safe_name

# What sync clients, browsers, editors and file managers leave lying about. Compared in lower case.
_LEFTOVER_FILE = re.compile(
    rb"(?:~\$.*|\._.*|\.~.*#?|\.ds_store|desktop\.ini|thumbs\.db|ehthumbs\.db|\.lock|icon\r"
    rb"|.*\.(?:tmp|temp|part|partial|filepart|crdownload|download|swp|swx|!ut|!sync|onedrivetemp))",
    re.DOTALL,
)
_LEFTOVER_FOLDER = re.compile(
    rb"(?:\$recycle\.bin|\.trash(?:-\d+|es)?|\.spotlight-v100|\.fseventsd|system volume information|__macosx|@eadir"
    rb"|\.(?:stfolder|stversions|dropbox\.cache|tmp\.drive(?:upload|download)))",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose campaign and post a file belongs to, and its safe name; `findings` say what is wrong with its place."""

    name: SafeName
    campaign: CampaignId | None
    post: SafeName | None
    findings: tuple[Finding, ...]


def is_leftover(path: bytes) -> bool:
    """Whether this is nothing that anybody dropped: a sync client's or editor's file, or in such a folder."""
    *folders, name = path.lower().split(b"/")
    return _LEFTOVER_FILE.fullmatch(name) is not None or any(map(_LEFTOVER_FOLDER.fullmatch, folders))


def place(path: bytes) -> Place:
    """The place of any relative path; what is in no campaign's folder, or too deep, has an outside-campaign finding."""
    *folders, untrusted = path.split(b"/")
    name = safe_name(untrusted)
    campaign = _campaign(folders[0]) if folders else None
    post = safe_name(folders[1]) if campaign is not None and len(folders) == 2 else None
    findings: list[Finding] = []
    if campaign is None or len(folders) > 2:
        findings.append(Finding(code=Code.OUTSIDE_CAMPAIGN, detail={"folders": len(folders)}))
    if name.text != unicodedata.normalize("NFC", untrusted.decode("utf-8", "replace")):
        findings.append(Finding(code=Code.NAME_CHANGED))
    return Place(name=name, campaign=campaign, post=post, findings=tuple(findings))


def _campaign(folder: bytes) -> CampaignId | None:
    try:
        return parse_campaign_id(folder.decode("ascii"))
    except (Misuse, UnicodeDecodeError):
        return None
