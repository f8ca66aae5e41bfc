"""What an identity can do to a folder, found out without doing harm: for `transfer doctor`.

What enters: a drive and a folder. What leaves: yes or no. An upload is begun under a name that nobody has; where that
is refused, nothing has happened, and where it is not, the upload is cancelled before a byte was sent, so nothing was
ever to be seen in the folder. Of what an identity can see, only the facts about the folder itself are asked for.
"""

from __future__ import annotations

import contextlib

from transfer.graph.faults import Conflict, Denied, GraphFault, NotThere
from transfer.graph.fields import parse_json
from transfer.graph.records import DriveItem, parse_item, parse_upload_session
from transfer.graph.session import Session, UploadingSession
from transfer.graph.verbs import CREATE_UPLOAD, ITEM

PROBE = "oneway-transfer-doctor.probe"


def facts_about(session: Session, *, drive: str, folder: str) -> DriveItem:
    """The facts about a folder. Raises GraphFault; NotThere, Denied."""
    return parse_item(parse_json(session.ask(ITEM, drive, folder).body))


def may_see(session: Session, *, drive: str, folder: str) -> bool:
    """Whether the facts about this folder are told; to whom they are, its files are open as well. Raises GraphFault."""
    try:
        facts_about(session, drive=drive, folder=folder)
    except NotThere:
        return False
    except Denied as denied:
        if denied.status == 403:
            return False
        raise  # the sign-in failed, which says nothing about its rights
    return True


def may_write(session: UploadingSession, *, drive: str, folder: str) -> bool:
    """Whether an upload into this folder can be begun; it is ended at once. Raises GraphFault."""
    item = {"@microsoft.graph.conflictBehavior": "fail", "name": PROBE, "fileSize": 1}
    try:
        answer = session.ask(CREATE_UPLOAD, drive, folder, PROBE, body={"item": item, "deferCommit": True})
    except Conflict:  # only who may write learns that the name is taken
        return True
    except Denied as denied:
        if denied.status == 403:
            return False
        raise
    address = parse_upload_session(answer.body).url
    if address is not None:
        with contextlib.suppress(GraphFault):  # it ends by itself in a few days, empty
            session.upload_cancel(address)
    return True
