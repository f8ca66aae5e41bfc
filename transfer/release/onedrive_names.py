"""Names that OneDrive takes: a safe name is nearly always one; what its service keeps for itself is made another. Pure.

What enters: a safe name. What leaves: a safe name that a drive or a document library takes, as near to it as that
allows. A percent sign before two hexadecimal digits goes too: on its way through addresses it could become another
character.
"""

from __future__ import annotations

import re

from transfer.model.names import SafeName, safe_name

_PERCENT = re.compile(r"%(?=[0-9A-Fa-f]{2})")
_VTI = re.compile(r"_vti_", re.IGNORECASE)
_OWN = re.compile(r"desktop\.ini|\.lock|(?:com0|lpt0)(?:\..*)?|forms", re.IGNORECASE)


def onedrive_name(name: SafeName) -> SafeName:
    """The name a release gets in OneDrive; a name that may stay is given back unchanged."""
    text = _VTI.sub("_vti-", _PERCENT.sub("_", name.text))
    return safe_name(f"_{text}" if _OWN.fullmatch(text) else text)
