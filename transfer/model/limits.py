"""The bounds of one file, from the policy; they apply before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLimits:
    """Maxima, all inclusive. `pixels` are width x height of one frame; `total_pixels` of all frames of a picture."""

    image_bytes: int
    video_bytes: int
    text_bytes: int
    pixels: int
    total_pixels: int
    side: int
    frames: int
    seconds: int
    streams: int
    characters: int

    @property
    def any_bytes(self) -> int:
        """No file of any kind may be larger."""
        return max(self.image_bytes, self.video_bytes, self.text_bytes)
