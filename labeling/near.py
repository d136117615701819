"""What a process keeps at hand of texts that it would else fetch from the cache for every page."""

import time


class Near:
    """Texts by key, for a while each, so many characters in all; when it is full it begins anew."""

    def __init__(self, *, characters: int, seconds: float) -> None:
        self._most, self._seconds = characters, seconds
        self._kept: dict[str, tuple[float, str]] = {}
        self._size = 0

    def get(self, key: str) -> str | None:
        until, text = self._kept.get(key, (0.0, ""))
        return text if until > time.monotonic() else None

    def put(self, key: str, text: str) -> None:
        if self._size > self._most:
            self.clear()
        self._size += len(key) + len(text)
        self._kept[key] = (time.monotonic() + self._seconds, text)

    def clear(self) -> None:
        self._kept, self._size = {}, 0
