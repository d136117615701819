"""What is packed is unpacked as it was, and its length tells nothing."""

import gzip

from labeling.packing import pack


def test_a_browser_unpacks_what_was_packed() -> None:
    page = "Größe, 漢字 and <b>tags</b>. ".encode() * 500
    assert gzip.decompress(pack(page)) == page
    assert len(pack(page)) < len(page) / 10


def test_the_same_page_has_not_the_same_length_each_time() -> None:
    page = b"token=abcdef " * 300
    assert len({len(pack(page)) for _ in range(30)}) > 5
