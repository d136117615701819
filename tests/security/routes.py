"""Every address that the site answers at, as its URL configuration has them."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver


@dataclass(frozen=True)
class Route:
    """name: with its space, as in admin:index; of one without a name, its pattern. wants: what its address needs."""

    name: str
    pattern: str
    wants: tuple[str, ...]

    def address(self, rows: dict[str, object]) -> str:
        """With these in the places of its pattern."""
        if self.name in ODD:
            return ODD[self.name]
        said = self.pattern
        for name in self.wants:
            before, _, after = said.partition("<")
            _, _, after = after.partition(">")
            said = f"{before}{rows[name]}{after}"
        return f"/{said}"


ODD = {
    "admin:app_list": "/admin/labeling/",
    "admin:admin/(?P<url>.*)$": "/admin/nowhere",
    "account_confirm_email": "/accounts/confirm-email/an-odd-key/",
    "account_reset_password_from_key": "/accounts/password/reset/key/1-an-odd-key/",
    "^api/": "/api/v1/nowhere",
}
"""Addresses whose patterns are regular expressions."""


def routes() -> list[Route]:
    return list(_below(get_resolver("config.urls")))


def _below(resolver: URLResolver, space: str = "", before: str = "", wanted: tuple[str, ...] = ()) -> Iterator[Route]:
    for found in resolver.url_patterns:
        pattern = before + str(found.pattern)
        wants = (*wanted, *found.pattern.converters)
        if isinstance(found, URLResolver):
            yield from _below(found, f"{space}{found.namespace}:" if found.namespace else space, pattern, wants)
        else:
            assert isinstance(found, URLPattern)
            yield Route(f"{space}{found.name or pattern}", pattern, wants)
