"""Words in pictures, for policies that have them read: an optional extra, `pip install 'oneway-transfer[ocr]'`.

What enters: a decoded picture. What leaves: the words that can be read in it, one line each, which go through the same
lists as a caption's do. Runs only in a sandbox child, on one processor, with the models that the package brings along.
`load` imports and tries it all before the child confines itself, and raises ImportError where the extra is missing.
"""

from __future__ import annotations

import logging
import os
import re

from PIL import Image, ImageDraw, ImageFont

from transfer.inspection.picture_words import Reader

MAX_SIDE = 2_000  # points: a larger picture is shrunk before it is read
MAX_WORDS = 20_000  # characters of one picture

# Readers lose blanks: between letters and a number there is one again.
_GLUED = re.compile(r"(?<=[^\W\d_])(?=\d{4})|(?<=\d{4})(?=[^\W\d_])")


def load() -> Reader:
    """The reader. Raises ImportError if the extra is not installed or a library that it needs is missing."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    logging.disable(logging.WARNING)  # it tells which models it uses, on standard error
    import cv2  # noqa: PLC0415 - heavy, and there only with the extra
    import numpy  # noqa: PLC0415, ICN001
    from rapidocr import RapidOCR  # noqa: PLC0415

    cv2.setNumThreads(0)
    one = {f"EngineConfig.onnxruntime.{which}_op_num_threads": 1 for which in ("intra", "inter")}
    engine = RapidOCR(params={**one, "Global.log_level": "critical"})

    def read(picture: Image.Image) -> str:
        shrunk = picture.convert("RGB")
        shrunk.thumbnail((MAX_SIDE, MAX_SIDE))
        found = engine(numpy.asarray(shrunk))
        return _GLUED.sub(" ", "\n".join(getattr(found, "txts", None) or ()))[:MAX_WORDS]

    sample = Image.new("RGB", (320, 80), "white")
    ImageDraw.Draw(sample).text((20, 20), "Open day 2024", font=ImageFont.load_default(32), fill="black")
    read(sample)
    return read
