"""Whether the platform that the device posts to will take a file: kindly, and before it is there. Pure.

What enters: what inspection learnt of a file, and what the policy says that the platform takes. What leaves: findings
that the policy answers with advice. Nothing here is about safety; a file that the platform refuses hurts nobody, but
whoever made it should hear of it before the queue and not behind it.
"""

from __future__ import annotations

from collections.abc import Iterator

from transfer.model.findings import Code, Finding
from transfer.model.media import Family, MediaFacts
from transfer.policy.rules import Platform


def unfitness(media: MediaFacts, size: int, platform: Platform | None) -> Iterator[Finding]:
    """What the platform may not take about this file. `size` is in bytes, 0 where it is not known."""
    if platform is None:
        return
    family = media.format.family
    if media.format not in platform.formats:
        takes = ", ".join(form.suffixes[0].removeprefix(".") for form in platform.formats if form.family is family)
        yield _finding(platform, Code.PLATFORM_FORMAT, takes=takes or "none of this kind")
    if family is Family.TEXT:
        return
    most = platform.video_bytes if family is Family.VIDEO else platform.image_bytes
    if size > most:
        yield _finding(platform, Code.PLATFORM_BYTES, bytes=size, most=most)
    if (
        not platform.least_side
        <= min(media.width, media.height)
        <= max(media.width, media.height)
        <= platform.most_side
    ):
        sides = {"least": platform.least_side, "most": platform.most_side}
        yield _finding(platform, Code.PLATFORM_SIZE, width=media.width, height=media.height, **sides)
    if family is Family.VIDEO:
        yield from _film(media, platform)


def _film(media: MediaFacts, platform: Platform) -> Iterator[Finding]:
    codec = next((stream.codec for stream in media.streams if stream.kind == "video"), "")
    if codec and codec not in platform.codecs:
        yield _finding(platform, Code.PLATFORM_CODEC, codec=codec, takes=", ".join(platform.codecs))
    if platform.upright and media.width > media.height:
        yield _finding(platform, Code.PLATFORM_SHAPE, width=media.width, height=media.height)
    if media.duration_ms > 1000 * platform.seconds:
        yield _finding(platform, Code.PLATFORM_LENGTH, seconds=media.duration_ms // 1000, most=platform.seconds)
    if media.frames and media.duration_ms:
        rate = 1000 * media.frames / media.duration_ms
        # A film counted to a frame or a millisecond too few is still one of 23.976 or 60 pictures a second.
        if not platform.least_rate - 0.5 <= rate <= platform.most_rate + 0.5:
            bounds = {"least": platform.least_rate, "most": platform.most_rate}
            yield _finding(platform, Code.PLATFORM_RATE, rate=f"{rate:.1f}", **bounds)


def _finding(platform: Platform, code: Code, **detail: str | int) -> Finding:
    return Finding(code=code, detail={"platform": platform.name, **detail})
