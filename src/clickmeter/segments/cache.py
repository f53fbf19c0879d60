"""Decoded columns kept in memory, the least recently used forgotten first, bounded in bytes."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Thing = TypeVar("Thing")


class Cache:
    """Things by name, each with about how many bytes it takes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._things: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def get(self, name: Hashable, make: Callable[[], Thing], size: Callable[[Thing], int]) -> Thing:
        """The thing of that name, made when it is not here; one that is larger than the cache is not kept."""
        known = self._things.get(name)
        if known is not None:
            self._things.move_to_end(name)
            thing: Thing = known[0]
            return thing
        made = make()
        self.put(name, made, size(made))
        return made

    def take(self, name: Hashable) -> Any:
        """The thing of that name, which is not here any more; None when it was not."""
        thing, size = self._things.pop(name, (None, 0))
        self._bytes -= size
        return thing

    def put(self, name: Hashable, thing: Any, size: int) -> None:
        """Keep a thing, in place of what had its name, unless it is larger than the cache."""
        self.take(name)
        if size > self._max_bytes:
            return
        self._bytes += size
        self._things[name] = (thing, size)
        while self._bytes > self._max_bytes:
            self._bytes -= self._things.popitem(last=False)[1][1]

    def clear(self) -> None:
        self._things.clear()
        self._bytes = 0
