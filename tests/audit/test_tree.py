"""The tree and its proofs: exhaustive for all sizes up to 70, and as properties of random trees."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.audit import naive
from transfer.audit.merkle import EMPTY_ROOT, Frontier, leaf_hash, peaks_of, root_of
from transfer.audit.proofs import check_consistency, check_inclusion, consistency_path, inclusion_path
from transfer.audit.tiles import (
    WIDTH,
    Tile,
    edge_root,
    parse_hashes,
    range_hash,
    tile_widths,
    tiles_between,
    tiles_of,
)
from transfer.errors import NotSo, Tampered

LARGEST = 70
ENTRIES = naive.entries(LARGEST)
HASHES = [leaf_hash(entry) for entry in ENTRIES]
ROOTS = [naive.mth(ENTRIES[:n]) for n in range(LARGEST + 1)]


def ranges(start: int, end: int) -> bytes:
    return root_of(HASHES[start:end])


def test_roots_of_all_sizes():
    frontier = Frontier()
    for size in range(LARGEST):
        assert frontier.root() == root_of(HASHES[:size]) == ROOTS[size]
        assert Frontier.from_bytes(size, frontier.to_bytes()) == frontier
        frontier.append(HASHES[size])


def test_all_inclusion_proofs():
    for size in range(1, LARGEST + 1):
        for index in range(size):
            path = inclusion_path(index, size, ranges)
            assert path == naive.path(index, ENTRIES[:size])
            check_inclusion(HASHES[index], index=index, size=size, path=path, root=ROOTS[size])


def test_all_consistency_proofs():
    for new in range(LARGEST + 1):
        for old in range(new + 1):
            path = consistency_path(old, new, ranges)
            assert path == ([] if old in {0, new} else naive.subproof(old, ENTRIES[:new], True))
            check_consistency(old=old, old_root=ROOTS[old], new=new, new_root=ROOTS[new], path=path)


def test_no_other_proof_passes():
    """For every pair of sizes: each hash of the proof changed, dropped, doubled or swapped, and each root wrong."""
    for new in range(2, 34):
        for old in range(1, new):
            path = consistency_path(old, new, ranges)
            for wrong in spoiled(path):
                with pytest.raises(Tampered):
                    check_consistency(old=old, old_root=ROOTS[old], new=new, new_root=ROOTS[new], path=wrong)
            for roots in [(ROOTS[old - 1], ROOTS[new]), (ROOTS[old], ROOTS[new - 1]), (ROOTS[new], ROOTS[new])]:
                with pytest.raises(Tampered):
                    check_consistency(old=old, old_root=roots[0], new=new, new_root=roots[1], path=path)
            index, path = old, inclusion_path(old, new, ranges)
            for wrong in spoiled(path):
                with pytest.raises(Tampered):
                    check_inclusion(HASHES[index], index=index, size=new, path=wrong, root=ROOTS[new])
            for leaf, at in [(HASHES[index - 1], index), (HASHES[index], index - 1), (HASHES[index], new)]:
                with pytest.raises(Tampered):
                    check_inclusion(leaf, index=at, size=new, path=path, root=ROOTS[new])


def spoiled(path: list[bytes]) -> list[list[bytes]]:
    variants = [[*path, path[-1] if path else EMPTY_ROOT]]
    for position, step in enumerate(path):
        variants.append([*path[:position], bytes([step[0] ^ 1]) + step[1:], *path[position + 1 :]])
        variants.append([*path[:position], *path[position + 1 :]])
        variants.append([*path[:position], step[:-1], *path[position + 1 :]])
        if position and path[position - 1] != step:
            variants.append([*path[: position - 1], step, path[position - 1], *path[position + 1 :]])
    return variants


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_there_is_no_proof_of_what_is_not_there(index, size):
    with pytest.raises(NotSo):
        inclusion_path(index, size, ranges)


def test_a_log_never_shrinks():
    with pytest.raises(NotSo):
        consistency_path(6, 5, ranges)
    with pytest.raises(Tampered):
        check_consistency(old=6, old_root=ROOTS[6], new=5, new_root=ROOTS[5], path=[])


def test_an_empty_tree_begins_every_log():
    check_consistency(old=0, old_root=EMPTY_ROOT, new=5, new_root=ROOTS[5], path=[])
    with pytest.raises(Tampered):
        check_consistency(old=0, old_root=ROOTS[1], new=5, new_root=ROOTS[5], path=[])


@pytest.mark.parametrize("size", [1, 3, 64])
def test_a_frontier_that_does_not_fit_its_size_is_refused(size):
    with pytest.raises(Tampered):
        Frontier.from_bytes(size, bytes(32 * (size.bit_count() + 1)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=40), min_size=1, max_size=90), st.data())
def test_random_trees(entries, data):
    hashes = [leaf_hash(entry) for entry in entries]
    size = len(entries)
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(0, size))

    def of(start: int, end: int) -> bytes:
        return root_of(hashes[start:end])

    root = naive.mth(entries)
    assert root_of(hashes) == root
    assert len(peaks_of(hashes)) == size.bit_count()
    check_inclusion(hashes[index], index=index, size=size, path=inclusion_path(index, size, of), root=root)
    path = consistency_path(old, size, of)
    check_consistency(old=old, old_root=naive.mth(entries[:old]), new=size, new_root=root, path=path)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 70_000), st.integers(0, 70_000))
def test_tiles_of_random_sizes(one, two):
    """The tiles between two sizes are those that the first does not have, and the edge gives the root."""
    old, new = sorted((one, two))
    had = set(tiles_of(old))
    for level in range(4):
        assert list(tiles_between(level, old, new)) == [t for t in tiles_of(new) if t.level == level and t not in had]
    assert all(tile.end <= new for tile in tiles_of(new))


def test_the_edge_and_ranges_of_a_log_of_three_levels():
    """66,000 entries: a full tile at level 1, one hash at level 2."""
    size = 66_000
    hashes = [leaf_hash(i.to_bytes(4, "big")) for i in range(size)]
    levels = [hashes]
    while len(levels[-1]) >= 256:
        below = levels[-1]
        levels.append([root_of(below[i : i + 256]) for i in range(0, len(below) - 255, 256)])
    edge = [level[tile_widths(n, size)[0] * 256 :] for n, level in enumerate(levels)]
    frontier = Frontier()
    completed = {}
    for value in hashes:
        before = frontier.size
        completed.update({(height, before): root for height, root in frontier.append(value)})
    assert (
        edge_root(edge)
        == frontier.root()
        == range_hash(0, size, lambda level, first, count: levels[level][first : first + count])
    )
    assert completed[8, 256 * 7 + 255] == levels[1][7]
    assert completed[16, 65_535] == levels[2][0]


class Tiles:
    """The hash tiles of a log of `size` entries, as files hold them; nothing else can be asked for."""

    def __init__(self, hashes: list[bytes]) -> None:
        self.size = len(hashes)
        levels = [hashes]
        while len(levels[-1]) >= WIDTH:
            below = levels[-1]
            levels.append([root_of(below[i : i + WIDTH]) for i in range(0, len(below) - WIDTH + 1, WIDTH)])
        self.files = {
            tile: b"".join(levels[tile.level][tile.index * WIDTH : tile.index * WIDTH + tile.width])
            for tile in tiles_of(self.size)
        }

    def hashes(self, level: int, first: int, count: int) -> list[bytes]:
        index, within = divmod(first, WIDTH)
        assert within + count <= WIDTH, "a range of hashes never crosses a tile"
        full, partial = tile_widths(level, self.size)
        tile = Tile(level, index, WIDTH if index < full else partial)
        return parse_hashes(self.files[tile], tile.width)[within : within + count]

    def range(self, start: int, end: int) -> bytes:
        return range_hash(start, end, self.hashes)


def test_all_proofs_from_tiles():
    """For every size up to 70, and for those around the widths of one and two tiles, every proof there is or many."""
    for size in [*range(1, LARGEST + 1), 255, 256, 257, 511, 512, 513, 767, 768, 769]:
        entries = naive.entries(size)
        tiles = Tiles([leaf_hash(entry) for entry in entries])
        assert tiles.range(0, size) == naive.mth(entries)
        step = 1 if size <= LARGEST else 37
        for number in {*range(0, size, step), size - 1}:
            assert inclusion_path(number, size, tiles.range) == naive.path(number, entries)
            if number:
                assert consistency_path(number, size, tiles.range) == naive.subproof(number, entries, True)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_random_trees_of_thousands_with_proofs_from_tiles(data):
    size = data.draw(st.integers(1, 4000) | st.sampled_from([255, 256, 257, 511, 512, 1023, 1024, 1025, 2048, 3840]))
    salt = data.draw(st.binary(max_size=8))
    entries = [salt + number.to_bytes(2, "big") for number in range(size)]
    hashes = [leaf_hash(entry) for entry in entries]
    tiles, frontier = Tiles(hashes), Frontier()
    for value in hashes:
        frontier.append(value)
    root = naive.mth(entries)
    assert root == frontier.root() == tiles.range(0, size)
    for index in data.draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=4)):
        path = inclusion_path(index, size, tiles.range)
        assert path == naive.path(index, entries)
        check_inclusion(hashes[index], index=index, size=size, path=path, root=root)
        wrong = data.draw(st.integers(0, size - 1).filter(lambda other, index=index: other != index or size == 1))
        if wrong != index:
            with pytest.raises(Tampered):
                check_inclusion(hashes[index], index=wrong, size=size, path=path, root=root)
            with pytest.raises(Tampered):
                check_inclusion(hashes[wrong], index=index, size=size, path=path, root=root)
    for old in data.draw(st.lists(st.integers(1, size), min_size=1, max_size=4)):
        path = consistency_path(old, size, tiles.range)
        assert path == naive.subproof(old, entries, True)
        old_root = naive.mth(entries[:old])
        check_consistency(old=old, old_root=old_root, new=size, new_root=root, path=path)
        if path:
            at = data.draw(st.integers(0, len(path) - 1))
            spoilt = [*path[:at], bytes([path[at][0] ^ 1]) + path[at][1:], *path[at + 1 :]]
            with pytest.raises(Tampered):
                check_consistency(old=old, old_root=old_root, new=size, new_root=root, path=spoilt)
            with pytest.raises(Tampered):
                check_consistency(old=old, old_root=hashes[0][::-1], new=size, new_root=root, path=path)
