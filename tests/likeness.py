"""How well near copies are found: made-up pictures and films, changed in known ways, compared as the gateway does.

    ./scripts/likeness [--pictures N] [--films N]

prints the tables of docs/return-by-content.md. Each file is really encoded and goes through the real inspection.
"""

from __future__ import annotations

import argparse
import io
import itertools
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import av
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from tests.scenes import scene
from transfer.inspection.fingerprint import recipe
from transfer.inspection.probe import probe, warm
from transfer.model.fingerprint import Comparison, Fingerprint, differing_bits
from transfer.model.search import Search
from transfer.policy.rulebook import load_shipped
from transfer.policy.rules import Policy

SIZE = (800, 450)
TALL = (360, 640)
RATE = 25
SECONDS = 8
SHOTS = 4  # of a film, each with its own picture that moves

Change = Callable[[Image.Image], bytes]


def encoded(picture: Image.Image, form: str = "JPEG", **how: object) -> bytes:
    """The bytes of a file; of a JPEG with quality 90 if nothing else is said."""
    out = io.BytesIO()
    picture.convert("RGB").save(out, form, **({"quality": 90} | how if form != "PNG" else how))
    return out.getvalue()


def cropped(picture: Image.Image, percent: int) -> Image.Image:
    """Without so much of its width and height, from all sides alike."""
    across, down = picture.width * percent // 200, picture.height * percent // 200
    return picture.crop((across, down, picture.width - across, picture.height - down))


def bordered(picture: Image.Image) -> Image.Image:
    """As a screenshot shows it: a bar above and below, of a sixth of its height together."""
    screen = Image.new("RGB", (picture.width, picture.height * 7 // 6), (0, 0, 0))
    screen.paste(picture, (0, picture.height // 12))
    return screen


def with_text_bar(picture: Image.Image) -> Image.Image:
    """A bar with words over its lowest eighth."""
    drawn = picture.copy()
    draw, top = ImageDraw.Draw(drawn), drawn.height * 7 // 8
    draw.rectangle((0, top, drawn.width, drawn.height), fill=(0, 0, 0))
    draw.text((20, top + 8), "Open day on Saturday", fill=(255, 255, 255), font=ImageFont.load_default(28))
    return drawn


def with_logo(picture: Image.Image, part: int) -> Image.Image:
    """A disc in a corner, `part` per cent of its width."""
    drawn, side = picture.copy(), picture.width * part // 100
    ImageDraw.Draw(drawn).ellipse((10, 10, 10 + side, 10 + side), fill=(230, 30, 60), outline=(255, 255, 255), width=4)
    return drawn


def with_watermark(picture: Image.Image) -> Image.Image:
    """A small note and a name, half transparent, as platforms write over what is downloaded from them."""
    layer = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    draw.ellipse((20, 20, 50, 50), fill=(255, 255, 255, 150))
    draw.text((56, 18), "Platform", fill=(255, 255, 255, 150), font=ImageFont.load_default(22))
    draw.text((20, 54), "@university", fill=(255, 255, 255, 150), font=ImageFont.load_default(16))
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")


PICTURE_CHANGES: Mapping[str, Change] = {
    "JPEG, quality 90": encoded,
    "JPEG, quality 60": lambda one: encoded(one, quality=60),
    "JPEG, quality 30": lambda one: encoded(one, quality=30),
    "WebP, quality 75": lambda one: encoded(one, "WEBP", quality=75),
    "PNG": lambda one: encoded(one, "PNG"),
    "scaled to a half": lambda one: encoded(one.resize((one.width // 2, one.height // 2))),
    "scaled to a quarter": lambda one: encoded(one.resize((one.width // 4, one.height // 4))),
    "scaled to twice": lambda one: encoded(one.resize((one.width * 2, one.height * 2), Image.Resampling.BICUBIC)),
    "stretched to a square": lambda one: encoded(one.resize((600, 600))),
    "brighter by 30 %": lambda one: encoded(ImageEnhance.Brightness(one).enhance(1.3)),
    "darker by 30 %": lambda one: encoded(ImageEnhance.Brightness(one).enhance(0.7)),
    "more contrast, 40 %": lambda one: encoded(ImageEnhance.Contrast(one).enhance(1.4)),
    "black and white": lambda one: encoded(ImageOps.grayscale(one)),
    "mirrored": lambda one: encoded(ImageOps.mirror(one)),
    "platform's watermark": lambda one: encoded(with_watermark(one)),
    "logo, 10 % wide": lambda one: encoded(with_logo(one, 10)),
    "logo, 25 % wide": lambda one: encoded(with_logo(one, 25)),
    "bar of text": lambda one: encoded(with_text_bar(one)),
    "screenshot with bars": lambda one: encoded(bordered(one)),
    "cropped by 5 %": lambda one: encoded(cropped(one, 5)),
    "cropped by 10 %": lambda one: encoded(cropped(one, 10)),
    "cropped by 20 %": lambda one: encoded(cropped(one, 20)),
    "cropped by 30 %": lambda one: encoded(cropped(one, 30)),
    "turned by a quarter": lambda one: encoded(one.transpose(Image.Transpose.ROTATE_90)),
    "upside down": lambda one: encoded(one.transpose(Image.Transpose.ROTATE_180)),
}


@dataclass(frozen=True)
class Found:
    """Of so many pairs, how many count as copies; distances in bits (pictures), or shares in per cent (films)."""

    what: str
    pairs: int
    copies: int
    values: tuple[int, ...]

    def row(self) -> str:
        """A line of the table."""
        ordered = sorted(self.values)
        middle, low, high = int(statistics.median(ordered)), ordered[0], ordered[-1]
        part = f"{100 * self.copies / self.pairs:.1f} %"
        return f"| {self.what} | {self.copies} of {self.pairs} | {part} | {low} | {middle} | {high} |"


def prints_of(content: bytes, suffix: str, policy: Policy) -> list[Fingerprint]:
    """What the gateway's inspection says that it looks like."""
    prints: list[Fingerprint] = []
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        facts, findings, _ = probe(file.fileno(), suffix=suffix, limits=policy.limits, search=Search(), prints=prints)
    if facts is None:
        raise SystemExit(f"A made-up file is not understood: {findings}")
    return prints


def distance(one: Fingerprint, other: Fingerprint, comparison: Comparison) -> int:
    """Of a staged picture from a released one, as the search has it."""
    wanted = (one.hash, one.mirrored) if comparison.mirrored else (one.hash,)
    return min(differing_bits(each, other.hash) for each in wanted)


def share(staged: Iterable[Fingerprint], released: Iterable[Fingerprint], comparison: Comparison) -> int:
    """Per cent of the staged film's clear frames that have a near one in the released film."""
    clear = [one for one in staged if one.quality >= comparison.quality]
    there = [one for one in released if one.quality >= comparison.quality]
    near = [one for one in clear if any(distance(one, other, comparison) <= comparison.distance for other in there)]
    return 100 * len(near) // len(clear) if clear else 0


def measure_pictures(count: int, policy: Policy, *, changes: Mapping[str, Change] = PICTURE_CHANGES) -> list[Found]:
    """Every change of every picture, then every pair of different ones."""
    comparison = _comparison(policy)
    originals = [scene(seed, SIZE) for seed in range(count)]
    released = [prints_of(encoded(one, quality=95), ".jpg", policy)[0] for one in originals]
    found = []
    for what, change in changes.items():
        suffix = {"WebP": ".webp", "PNG": ".png"}.get(what.split(",")[0], ".jpg")
        staged = [prints_of(change(one), suffix, policy)[0] for one in originals]
        apart = tuple(distance(one, there, comparison) for one, there in zip(staged, released, strict=True))
        found.append(Found(what, count, sum(each <= comparison.distance for each in apart), apart))
    pairs = tuple(distance(one, other, comparison) for one, other in itertools.combinations(released, 2))
    found.append(Found("another picture", len(pairs), sum(each <= comparison.distance for each in pairs), pairs))
    posters = [prints_of(encoded(poster(seed)), ".jpg", policy)[0] for seed in range(count)]
    pairs = tuple(distance(one, other, comparison) for one, other in itertools.combinations(posters, 2))
    found.append(
        Found("another poster of one layout", len(pairs), sum(each <= comparison.distance for each in pairs), pairs)
    )
    return found


def poster(seed: int) -> Image.Image:
    """A house style: the same frame, bar and logo, with another picture in the middle."""
    sheet = Image.new("RGB", SIZE, (20, 40, 90))
    sheet.paste(scene(5_000 + seed, (520, 290)), (140, 70))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((0, 385, SIZE[0], 450), fill=(240, 200, 40))
    draw.text((30, 396), f"Lecture {seed + 1}", fill=(0, 0, 0), font=ImageFont.load_default(36))
    draw.ellipse((710, 10, 780, 60), fill=(255, 255, 255))
    return sheet


def frames_of(seed: int) -> list[Image.Image]:
    """A film's: several shots, in each of which the camera moves over a larger picture."""
    frames = []
    each = SECONDS * RATE // SHOTS
    for shot in range(SHOTS):
        wide = scene(10_000 + SHOTS * seed + shot, (TALL[0] + 120, TALL[1] + 60))
        for number in range(each):
            left, top = 120 * number // each, 60 * number // each
            frames.append(wide.crop((left, top, left + TALL[0], top + TALL[1])))
    return frames


def film(frames: list[Image.Image], *, every: int = 30, quality: int = 23, size: tuple[int, int] = TALL) -> bytes:
    """An MP4 with a key frame at least `every` frames."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"crf": str(quality), "g": str(every), "preset": "veryfast"}
        for picture in frames:
            container.mux(stream.encode(av.VideoFrame.from_image(picture.resize(size))))
        container.mux(stream.encode())
    return out.getvalue()


def outro() -> list[Image.Image]:
    """Two seconds that a platform puts behind a film: its name on black."""
    card = Image.new("RGB", TALL, (0, 0, 0))
    ImageDraw.Draw(card).text((90, 300), "Platform", fill=(255, 255, 255), font=ImageFont.load_default(40))
    return [card] * (2 * RATE)


def intro() -> list[Image.Image]:
    """A second and a half that a university puts before every film."""
    return [scene(9_999, TALL)] * (3 * RATE // 2)


STILL = "a still of it"
FILM_CHANGES: Mapping[str, Callable[[list[Image.Image]], bytes]] = {
    "encoded again": lambda frames: film(frames, every=250),
    "encoded coarsely": lambda frames: film(frames, every=60, quality=36),
    "scaled to two thirds": lambda frames: film(frames, size=(240, 426)),
    "platform's watermark, coarse": lambda frames: film([with_watermark(one) for one in frames], every=60, quality=30),
    "with the platform's end card": lambda frames: film(frames + outro()),
    "mirrored": lambda frames: film([ImageOps.mirror(one) for one in frames]),
    "first second cut off": lambda frames: film(frames[RATE:]),
    "the second half alone": lambda frames: film(frames[len(frames) // 2 :]),
    "cropped by 10 %": lambda frames: film([cropped(one, 10) for one in frames]),
    "bar of text": lambda frames: film([with_text_bar(one) for one in frames]),
}


def measure_films(
    count: int, policy: Policy, *, changes: Mapping[str, Callable[[list[Image.Image]], bytes]] = FILM_CHANGES
) -> list[Found]:
    """Every change of every film; then different films, and different films that begin alike. One film at a time."""
    comparison = _comparison(policy)
    shares: dict[str, list[int]] = {what: [] for what in (*changes, STILL)}
    released, begun = [], []
    for seed in range(count):
        frames = frames_of(seed)
        there = prints_of(film(frames), ".mp4", policy)
        for what, change in changes.items():
            shares[what].append(share(prints_of(change(frames), ".mp4", policy), there, comparison))
        still = prints_of(encoded(frames[len(frames) // 2]), ".jpg", policy)
        shares[STILL].append(share(still, there, comparison))
        released.append(there)
        begun.append(prints_of(film(intro() + frames), ".mp4", policy))
    for what, films in (("another film", released), ("another film with the same beginning", begun)):
        shares[what] = [share(one, other, comparison) for one, other in itertools.permutations(films, 2)]
    return [
        Found(what, len(each), sum(one >= comparison.share for one in each), tuple(each))
        for what, each in shares.items()
    ]


def _comparison(policy: Policy) -> Comparison:
    if policy.comparison is None:
        raise SystemExit("This policy compares nothing.")
    return policy.comparison


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(prog="scripts/likeness", description="How well near copies are found.")
    parser.add_argument("--pictures", type=int, default=150)
    parser.add_argument("--films", type=int, default=12)
    options = parser.parse_args()
    policy = load_shipped("university")
    warm()
    say = sys.stdout.write
    say(f"pdqhash {recipe()}; {_comparison(policy)}\n\n")
    say("| change | held as copies | | least distance | median | largest |\n|---|---|---|---|---|---|\n")
    for found in measure_pictures(options.pictures, policy) if options.pictures else ():
        say(found.row() + "\n")
    say("\n| change | held as copies | | least share | median | largest |\n|---|---|---|---|---|---|\n")
    for found in measure_films(options.films, policy):
        say(found.row() + "\n")


if __name__ == "__main__":
    main()
