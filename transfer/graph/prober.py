"""Whether an identity that is to read can write as well, found out without doing harm: for `transfer doctor`.

What enters: a drive and a folder. What leaves: yes or no. An upload is begun under a name that nobody has; where that
is refused, nothing has happened, and where it is not, the upload is cancelled before a byte was sent, so nothing was
ever to be seen in the folder.
"""

from __future__ import annotations

import contextlib

from transfer.graph.faults import Denied, GraphFault
from transfer.graph.records import parse_upload_session
from transfer.graph.session import UploadingSession
from transfer.graph.verbs import CREATE_UPLOAD

PROBE = "oneway-transfer-doctor.probe"


def may_write(session: UploadingSession, *, drive: str, folder: str) -> bool:
    """Whether an upload into this folder can be begun; it is ended at once. Raises GraphFault."""
    item = {"@microsoft.graph.conflictBehavior": "fail", "name": PROBE, "fileSize": 1}
    try:
        answer = session.ask(CREATE_UPLOAD, drive, folder, PROBE, body={"item": item, "deferCommit": True})
    except Denied as denied:
        if denied.status == 403:
            return False
        raise
    address = parse_upload_session(answer.body).url
    if address is not None:
        with contextlib.suppress(GraphFault):  # it ends by itself in a few days, empty
            session.upload_cancel(address)
    return True
