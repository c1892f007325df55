"""``collapse=1``: leaves out addresses and networks that a listed network contains, and names below a listed name."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable

from hub.doors.export.distinct import DistinctValues
from hub.doors.export.entry import Entry, ListItem

_NETWORKS = frozenset({"ipv4-addr", "ipv6-addr"})
_NAMES = "domain-name"


class Covering:
    """The networks and names of a list, with 8 bytes for each. First ``add`` all items, then ask for each."""

    def __init__(self, is_written: Callable[[Entry], bool] = lambda _: True) -> None:
        """``is_written``: whether the list can have an entry. What is left out covers nothing."""
        self._is_written = is_written
        self._known = DistinctValues()
        self._prefixes: dict[int, set[int]] = {4: set(), 6: set()}
        """The lengths of the prefixes that there are, by IP version."""

    def add(self, items: Iterable[ListItem]) -> None:
        """Take more items of the list into account."""
        for item in items:
            if not isinstance(item, Entry):
                continue
            if item.type == _NAMES and self._is_written(item):
                self._known.first_time(item.value)
            elif item.type in _NETWORKS and "/" in item.value and self._is_written(item):
                network = ipaddress.ip_network(item.value)
                self._prefixes[network.version].add(network.prefixlen)
                self._known.first_time(str(network))

    def has(self, item: ListItem) -> bool:
        """Returns whether another item of the list, wider than this one, covers it."""
        if not isinstance(item, Entry):
            return False
        if item.type == _NAMES:
            return any(above in self._known for above in _above(item.value))
        if item.type not in _NETWORKS:
            return False
        network = ipaddress.ip_network(item.value)
        wider = (prefix for prefix in self._prefixes[network.version] if prefix < network.prefixlen)
        return any(str(network.supernet(new_prefix=prefix)) in self._known for prefix in wider)


def _above(name: str) -> Iterable[str]:
    """Yields the names above a name.

    >>> list(_above("a.b.example"))
    ['b.example', 'example']
    """
    while "." in name:
        name = name.partition(".")[2]
        yield name
