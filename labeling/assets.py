"""What is put together from several files and served as one: under an address that carries a hash of what is in it, so
that a browser keeps it for good and asks anew once a file changed."""

import gzip
from dataclasses import dataclass
from hashlib import sha256

from django.urls import reverse


@dataclass(frozen=True)
class Asset:
    """kind: "sheet" or "script", as the address is named. mark: of the content, 12 hexadecimal digits. packed: the
    same, gzipped."""

    kind: str
    name: str
    content: bytes
    packed: bytes
    mark: str

    @classmethod
    def of(cls, kind: str, name: str, text: str) -> "Asset":
        content = text.encode()
        packed = gzip.compress(content, compresslevel=9, mtime=0)
        return cls(kind, name, content, packed, sha256(content).hexdigest()[:12])

    @property
    def address(self) -> str:
        return reverse(self.kind, args=[self.name, self.mark])
