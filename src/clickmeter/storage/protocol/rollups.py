"""What keeps the rollups of `RolledEvents`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager

    from clickmeter.storage.segment import Roll, RollupStatistics, StoredSegment


class RollupStore(Protocol):
    """Column segments and their dictionaries: derived from raw events, and made anew from them at any time."""

    def begin_rolling(self) -> None:
        """To be called before the first step of a roller: make sure of what is kept, or discard it. May take long.

        Until then whatever may have been damaged when a machine went down counts as not being there.
        """
        ...

    def end_rolling(self) -> None:
        """To be called when a roller ends in order."""
        ...

    def snapshot(self) -> AbstractContextManager[int]:
        """Everything read inside is of one moment. Gives the watermark: the events up to that position are in it."""
        ...

    def epoch(self) -> str:
        """Changes when everything was thrown away: ids of segments and of values then mean something else."""
        ...

    def segments(self, property_id: str, *, first_day: int, last_day: int) -> list[StoredSegment]:
        """The property's segments that reach into these days, both inclusive, by their first day."""
        ...

    def bitmaps(self, segment_id: int) -> tuple[bytes, bytes]:
        """A segment's visitors and sessions."""
        ...

    def read(self, segment_id: int, *, offset: int, length: int) -> bytes:
        """Part of a segment's blob; less when it is not so long."""
        ...

    def made_after(self, property_id: str) -> tuple[int, dict[int, int]]:
        """After which removals (`EventStore.generation`) the property's segments were made.

        The number that holds for all of them, and a greater one for each day that was renewed since.
        """
        ...

    def size(self, property_id: str, column: str) -> int:
        """How many values the dictionary has: ids are 1 to this."""
        ...

    def values(self, property_id: str, column: str, *, after: int, limit: int) -> list[str]:
        """The values with ids above `after`, by id, at most `limit` of them."""
        ...

    def value_ids(self, property_id: str, column: str, values: Sequence[str | bytes]) -> dict[str | bytes, int]:
        """The ids of those values that the dictionary has; hashes for hashed columns."""
        ...

    def segments_within(
        self, property_id: str, *, first_day: int, last_day: int, rows: int | None
    ) -> list[StoredSegment] | None:
        """The property's segments that lie wholly in these days, both inclusive, by their first day.

        None, without a look at all of them, when they hold more than so many rows.
        """
        ...

    def elect(self) -> int | None:
        """Become the one process that rolls up, or stay it: a number that is another one whenever it becomes it anew.

        None while another process is it. Once it is lost, what the former one still stores is refused.
        """
        ...

    def roll(self, roll: Roll) -> None:
        """Store one step of the roller, in one transaction; DiscardedError when its epoch is over."""
        ...

    def anchor(self) -> None:
        """Learn anew which event is at the watermark, whose absence would make these the rollups of other events.

        To be called from time to time: events of deleted properties are purged.
        """
        ...

    def forget(self, property_id: str) -> None:
        """Keep nothing of a property from now on. The space it takes is freed by `sweep`."""
        ...

    def replace(self, names: Mapping[str, str]) -> None:
        """Let what is kept under each new name take the place of what is kept under the old one, all at once.

        `names` is new name -> old name; the epoch changes. What the old names stood for is forgotten.
        """
        ...

    def sweep(self) -> bool:
        """Free some of the space of what is forgotten, in one short transaction; False when there is nothing left."""
        ...

    def properties(self) -> list[str]:
        """The ids of the properties of which anything is kept."""
        ...

    def note(self, name: str) -> str | None:
        """A short text kept beside the rollups, or None."""
        ...

    def set_note(self, name: str, text: str | None) -> None:
        """Keep a short text, or with None keep it no longer."""
        ...

    def discard(self) -> None:
        """Remove everything: the watermark is 0 afterwards."""
        ...

    def statistics(self) -> RollupStatistics:
        """How much there is of everything."""
        ...

    def close(self) -> None: ...
