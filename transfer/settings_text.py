"""The text of a new `transfer.toml`, with a comment for everything an operator may want to change.

What enters: what `transfer init` was told. What leaves: text that `settings.load_settings` reads back to the same
values; every default is written out as a comment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transfer.model.identifiers import DeviceId, PersonId, SourceId

_HEAD = """\
# The settings of this workspace. Paths are relative to the folder this file lies in. An unknown key is an error.
# What may pass is not said here but in policy.toml.

[gateway]
# The name of this gateway in its log; it cannot be changed later.
origin = {origin}
"""

_SOURCE = """
# A staging folder and whose it is: everything dropped there counts as dropped by this person, given by the pseudonym
# that `transfer people list` shows. One [[source]] for each submitter.
[[source]]
id = {id}
path = {path}
submitter = {submitter}
"""

_REST = """
# The device's side. `device` is an enrolled one (`transfer device list`).
[release]
path = {path}
aside = {aside}
device = {device}

# "require": start only where the kernel enforces that nothing comes back. "prefer": start anyway, and say so in every
# status and in the log.
[valve]
mode = {valve}

# kind = "clamd" asks ClamAV's daemon, at its socket or at a host and port; "none" asks nobody, and the policy then says
# whether files wait or go on.
[scanner]
kind = {scanner}
{address}

[intake]
# settle_seconds = 2.0          # a file has settled when it has not changed for so long
# rescan_seconds = 5.0          # everything is looked at again this often, in case an event was missed
# min_free_bytes = "500 MB"     # below this much free space nothing is taken in

[sandbox]
# workers = 0                   # processor cores that work on files, one file each and one more; 0: all
# memory_mb = 2048              # of each
# seconds = 600                 # the longest that one step with one file may take
# strict = false                # true: a new process for every file (slower)

[log]
# publish_seconds = 1.0         # new entries are signed and published this often
# keep_days = 400               # entries of a sealed shard go so long after it was sealed; 0: never
# verify_hours = 24.0           # the gateway verifies its whole log this often, at its leisure; 0: never
# Where the log's signing key is kept, if not in keys/: an absolute path, or a credential of systemd, "credential:NAME"
# (docs/keys.md).
{key}

# A guard that is a service of its own, under a user of its own (docs/operating.md), and where it and the gateway meet.
[guard]
# user = "oneway-guard"
# socket = "/run/oneway-transfer/guard.sock"
"""

_SCANNER_REST = """\
# timeout_seconds = 300         # for one file
# max_bytes = 100_000_000       # the least of clamd's StreamMaxLength, MaxFileSize, MaxScanSize; raise them together
# yara = ""                     # a folder of YARA rules (*.yar, *.yara): a second scanner beside the first
# yara_max_bytes = 256_000_000  # the largest file that the rules look at; they hold it in memory"""
_SOCKET_HINT = '# socket = "/run/clamav/clamd.ctl"\n# host = "127.0.0.1"\n# port = 3310\n' + _SCANNER_REST


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSource:
    """A staging folder to be written into the settings; `path` relative to the workspace, or absolute."""

    id: SourceId
    path: str
    submitter: PersonId


def render_settings(
    *,
    origin: str,
    sources: Sequence[NewSource],
    device: DeviceId,
    release: str = "release",
    aside: str = "release-aside",
    valve: str = "require",
    clamd_socket: str | None = None,
    log_key: str | None = None,
) -> str:
    """The whole text. With `clamd_socket` the scanner is clamd there, without it there is none; `log_key` is where the
    log's key is kept if not in the workspace."""
    address = _SOCKET_HINT if clamd_socket is None else f"socket = {quoted(clamd_socket)}\n{_SCANNER_REST}"
    parts = [_HEAD.format(origin=quoted(origin))]
    parts += [
        _SOURCE.format(id=quoted(source.id), path=quoted(source.path), submitter=quoted(source.submitter))
        for source in sources
    ]
    parts.append(
        _REST.format(
            path=quoted(release),
            aside=quoted(aside),
            device=quoted(device),
            valve=quoted(valve),
            scanner=quoted("none" if clamd_socket is None else "clamd"),
            address=address,
            key='# key = ""' if log_key is None else f"key = {quoted(log_key)}",
        )
    )
    return "".join(parts)


def quoted(value: str) -> str:
    """The value as a basic string of TOML."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    shown = (character if character.isprintable() else f"\\U{ord(character):08X}" for character in escaped)
    return '"' + "".join(shown) + '"'
