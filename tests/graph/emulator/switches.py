"""The switches: how the emulated service behaves, where the real one may behave either way.

Each is set by `world.switch(name=value)` and holds for every process that has the state open.
"""

from __future__ import annotations

from typing import Any

DEFAULTS: dict[str, Any] = {
    # addresses
    "base": "",  # where the Graph host is reached; set when a server starts
    "content_base": "",  # where download and upload addresses point to
    "seed": 1,  # of everything that is drawn
    "clock_ahead": 0.0,  # seconds by which the service's clock is ahead of the machine's
    "latency": 0.0,  # seconds before every answer
    # delta
    "page_size": 200,
    "list_page_size": 200,  # of children, versions, permissions and members, unless `$top` says otherwise
    "links": "query",  # nextLink and deltaLink as `delta?token=…` or, with "function", as `delta(token='…')`
    "delta_shuffle": False,  # children before parents, renamed folders anywhere
    "delta_duplicates": 0.0,  # share of items that are told again on the next page
    "delta_unchanged": 0.0,  # share of unchanged items that are told although nothing happened
    "delta_empty_pages": 0.0,  # share of pages before which an empty one comes, with a nextLink
    "delta_lag": 0.0,  # seconds for which a change is not told yet
    "delta_parents": True,  # the ancestors of what changed are told too
    "delta_bogus_hash": True,  # deleted items carry a hash of zeros
    "delta_folder": True,  # False: delta of a folder is refused with 501, as it once was
    "delta_era": 0,  # tokens of another era are gone (see `forget_deltas`)
    "delta_gone_code": "resyncChangesApplyDifferences",
    # content
    "direct_content": False,  # `/content` streams by itself, without a redirect
    "ignore_range": False,  # the whole file whatever range was asked for
    "url_life": 300.0,  # seconds for which a download address is good
    "empty_files_have_a_hash": False,
    "simple_limit": 250_000_000,  # bytes that a simple PUT may have
    "partial_files": True,  # a simple PUT that is cut off leaves what came
    "refuse_authorization": True,  # 401 for a token sent to a download or upload address; False: it is only counted
    # upload sessions
    "early_conflict": False,  # a name that is taken is refused with 409 when the session begins, not only at its end
    "session_life": 900.0,  # seconds; every fragment begins them anew
    "ranges": "open",  # nextExpectedRanges as "a-" or, with "closed", as "a-b"
    # what the service does to files by itself
    "jpeg_rewrite_after": None,  # seconds after which a document library changes a JPEG by a dozen bytes
    "etag_bump_after": None,  # seconds after which a picture has another eTag and cTag
    # limits
    "budget": 0,  # resource units a minute for each token; 0: no limit
    "retry_after": 1,  # seconds told with 429 and 503
    "random_faults": None,  # see faults.py
    "permissions_visible": "owner",  # "all": whoever may read sees every permission
    "inherited_from": False,  # OneDrive for Business and SharePoint do not tell it
}
