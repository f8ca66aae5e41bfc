"""The sandbox child's own program, with a stopwatch upon its stations; what it does is `transfer.child`'s.

What enters: the file of the sums, then the arguments of `transfer.child`. What leaves: replies, and the sums.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.stopwatch import Stopwatch
from transfer import child

SNIFF, STRUCTURE, DECODE, SEARCH, FINGERPRINT = (
    "sniff",
    "structure walk",
    "decode, probe",
    "markings, personal data",
    "fingerprint",
)
REBUILD, RESIDUE, YARA = "rebuild", "residue proof", "YARA"
RESTS = {"media": "messages (media child)", "residue": "messages (residue child)", "rules": "messages (rules child)"}
LAPS = (SNIFF, STRUCTURE, DECODE, SEARCH, FINGERPRINT, REBUILD, RESIDUE, YARA, *RESTS.values())


def command(sums: Path) -> tuple[str, ...]:
    """What starts a zygote of such children."""
    here = str(Path(__file__).resolve().parents[1])
    program = f"import sys; sys.path.append({here!r}); from benchmarks.station_child import main; main()"
    return (sys.executable, "-P", "-c", program, str(sums))


def main() -> None:
    """The zygote's program."""
    sums, role = Path(sys.argv[1]), sys.argv[2]
    # Where processor time is bounded the kernel tells that of the process in ticks only, and that of a thread exactly.
    watch = Stopwatch(sums, LAPS, rest=RESTS["media" if role == "reading" else role], clock=time.thread_time)
    if role in {"media", "reading"}:
        _time_media(watch)
    elif role == "residue":
        from transfer.disarm import residue

        watch.time(residue, "prove", RESIDUE)
    else:
        from transfer.inspection.yara_rules import Ruler

        watch.time(Ruler, "matches", YARA)
    work_with = child.work_with

    def timed(hands: child.Hands) -> child.Work:
        work = work_with(hands)

        def begin(link: object) -> None:
            watch.begin()  # a child's processor time begins with its fork
            work(link)  # type: ignore[arg-type]

        return begin

    child.work_with = timed
    child.main(sys.argv[2:])


def _time_media(watch: Stopwatch) -> None:
    from transfer.disarm import remake
    from transfer.inspection import decode_images, decode_text, decode_video, probe
    from transfer.inspection.sniff import Sniffer

    watch.time(Sniffer, "media_type", SNIFF)
    for module, names in (
        (decode_images, ("dissect_picture", "check_structure", "check_packed", "structure_findings")),
        (decode_video, ("dissect_film", "check_structure", "structure_findings")),
    ):
        for name in names:
            watch.time(module, name, STRUCTURE)
    for name in ("decode_image", "decode_video", "decode_text"):
        watch.time(probe, name, DECODE)
    for module, name in (
        (decode_images, "metadata_findings"),
        (decode_video, "metadata_findings"),
        (decode_text, "marking_findings"),
        (decode_text, "personal_data_in"),
    ):
        watch.time(module, name, SEARCH)
    for module, name in (
        (decode_images, "small"),
        (decode_images, "fingerprints"),
        (decode_video, "fingerprints"),
    ):
        watch.time(module, name, FINGERPRINT)
    watch.time(remake, "remake", REBUILD)
