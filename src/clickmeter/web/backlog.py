"""How much work has been let in: the measure by which a server that is asked too much says so while it still can.

A request takes about 100 microseconds; saying no before it is looked at takes a fifth of that. So when more requests
wait for their turn than the limit, the next ones are refused at once, and those that were let in are answered soon.
What waits for the disk is not counted here: the writer has a bound of its own.
"""

from __future__ import annotations

MAX_WAITING = 128


class Backlog:
    """Counts the batches that were let in and not handed to the writer yet."""

    def __init__(self, limit: int = MAX_WAITING) -> None:
        self._limit = limit
        self._waiting = 0

    @property
    def is_full(self) -> bool:
        return self._waiting >= self._limit

    def enter(self) -> None:
        """A batch is let in; its `Turn` will end."""
        self._waiting += 1

    def leave(self) -> None:
        self._waiting -= 1


class Turn:
    """One batch's place in the backlog: given up while its body is still arriving, and for good when it ends."""

    __slots__ = ("_backlog", "_waits")

    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog
        self._waits = True

    def pause(self) -> None:
        """There is nothing to do for this batch now. Pausing again, or ending so, does nothing."""
        if self._waits:
            self._waits = False
            self._backlog.leave()

    def resume(self) -> None:
        """Its body is here: there is work again."""
        if not self._waits:
            self._waits = True
            self._backlog.enter()
