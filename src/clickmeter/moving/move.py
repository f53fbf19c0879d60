"""The stages of a move: copying while the source serves, finishing, and going back. Each can be repeated.

At no time do both ends take events. The source is closed, then the rest is copied and compared; then the source notes
that it was moved, which is the moment that decides, and only then does the destination open.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from clickmeter.errors import Refusal
from clickmeter.keys import random_text
from clickmeter.moving.comparing import compare
from clickmeter.moving.copying import Copying, require_same
from clickmeter.storage.move import Move
from clickmeter.storage.protocol import NEWEST

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from clickmeter.moving.comparing import Difference
    from clickmeter.moving.end import End
    from clickmeter.storage.protocol import MetadataStore, Progress

    Watch = Callable[[str], AbstractContextManager[Progress]]
    """Shows the progress of a stage that is called so."""

ID_LENGTH = 16
ATTEMPTS = 5
PAUSE_SECONDS = 1.0


class Differing(Exception):  # noqa: N818 - what was found, not a fault of the program
    """The reports of the two ends do not agree; the source takes events again."""

    def __init__(self, differences: list[Difference]) -> None:
        super().__init__("The reports do not agree.")
        self.differences = differences


def copy(source: End, destination: End, watch: Watch) -> None:
    """Copy everything there is so far; the source is only read."""
    if is_moved(source):
        raise Refusal("store_unavailable", f"{source.name} was moved already; --finish says with what to restart.")
    copying = Copying(source, destination, begun(source, destination))
    with watch("Copying") as told:
        copying.catch_up(told)
    with watch("Rolling up") as told:
        destination.roll_up(told)


def finish(source: End, destination: End, watch: Watch) -> None:
    """Copy what there is, close the source, copy the rest, compare, and open the destination.

    Raises Differing, or what went wrong, with the source taking events again. Killed in between it is to be repeated,
    or given up with `abandon`: until then the source takes nothing.
    """
    if not is_moved(source):
        copy(source, destination, watch)
        with watch("Rolling up the old one") as told:
            source.roll_up_unserved(told)
        close(source, destination)
        try:
            copy_rest(source, destination, watch)
        except BaseException:
            decide(source.metadata, None)
            raise
        decide(source.metadata, record(destination, "moved"))
    settle(source, destination)


def abandon(source: End, destination: End | None) -> None:
    """Let the source take events again; once it was moved, only from a destination that nothing happened in since."""
    move = source.metadata.move()
    if move is None or move.role != "source":
        raise Refusal("store_unavailable", f"{source.name} is not being moved; it takes events as ever.")
    if move.phase == "moved":
        if destination is None:
            raise Refusal("store_unavailable", f"{source.name} was moved to {move.other}; say so with --to as well.")
        take_back(source, destination, move)
    decide(source.metadata, None)


def begun(source: End, destination: End) -> Move:
    """The destination's record of this move, made now when there is none; raises when it is of anything else."""
    move = destination.metadata.move()
    if source.events.identity() == destination.events.identity():
        raise Refusal("store_unavailable", f"{source.name} and {destination.name} are the same database.")
    if move is not None and move.role == "destination" and move.phase == "copying":
        require_same(source, move)
        return move
    contents = destination.metadata.contents(salts=False)
    if contents.properties or contents.keys or destination.events.last_position():
        raise Refusal(
            "store_unavailable", f"{destination.name} holds something already; move to a database that is empty."
        )
    move = Move(
        id=random_text(ID_LENGTH),
        role="destination",
        phase="copying",
        other=source.name,
        source=source.events.identity(),
        generation=source.rolled.events.generation() if source.rolled else 0,
    )
    decide(destination.metadata, move)
    return move


def record(destination: End, phase: str) -> Move:
    """What the source is to remember."""
    move = destination.metadata.move()
    assert move is not None
    fields = {"id": move.id, "role": "source", "phase": phase, "other": destination.name, "source": move.source}
    return msgspec.convert(fields, Move)


def close(source: End, destination: End) -> None:
    """From now on the source takes nothing, and nothing is under way in it."""
    before, closing = source.metadata.move(), record(destination, "closing")
    if before is not None and before.closes and before.id != closing.id:
        raise Refusal("store_unavailable", f"{source.name} is being moved to {before.other}; --abandon that first.")
    decide(source.metadata, closing)
    source.events.check()


def copy_rest(source: End, destination: End, watch: Watch) -> None:
    """Copy what is left of a closed source, and compare; raises Differing."""
    move = destination.metadata.move()
    assert move is not None
    copying = Copying(source, destination, move)
    with watch("Copying the rest") as told:
        copying.catch_up(told)
        copying.settle()
    with watch("Rolling up") as told:
        destination.roll_up(told)
    with watch("Comparing reports") as told:
        differences = compare(source, destination, now=time.time_ns() // 1_000_000, told=told)
    if differences:
        raise Differing(differences)
    # As late as can be: counts that servers write down now and then, and salts, which nobody else may keep.
    copying.metadata(salts=True)


def settle(source: End, destination: End) -> None:
    """The source was moved: open the destination, and leave no salts behind."""
    ours, theirs = source.metadata.move(), destination.metadata.move()
    assert ours is not None
    if theirs is None or theirs.id != ours.id:
        raise Refusal("store_unavailable", f"{source.name} was moved to {ours.other}, not to {destination.name}.")
    if theirs.phase == "copying":
        filled = destination.events.last_position()
        decide(destination.metadata, msgspec.structs.replace(theirs, phase="finished", filled=filled))
    source.metadata.drop_salts(before=NEWEST)


def take_back(source: End, destination: End, move: Move) -> None:
    """Close the destination again; raises when it has taken anything since it was opened."""
    theirs = destination.metadata.move()
    if theirs is None or theirs.id != move.id or theirs.role != "destination":
        raise Refusal("store_unavailable", f"{source.name} was moved to {move.other}, not to {destination.name}.")
    decide(destination.metadata, msgspec.structs.replace(theirs, phase="copying"))
    destination.events.check()
    moved, now = source.metadata.contents(salts=False), destination.metadata.contents(salts=True)
    is_as_it_was = (moved.properties, moved.keys, moved.erasures) == (now.properties, now.keys, now.erasures)
    if theirs.phase == "finished" and not (is_as_it_was and destination.events.last_position() == theirs.filled):
        decide(destination.metadata, theirs)
        raise Refusal(
            "store_unavailable",
            f"{destination.name} has taken events or changes since it was moved to; move it to an empty database.",
        )
    source.metadata.adopt(now)
    destination.metadata.drop_salts(before=NEWEST)


def is_moved(source: End) -> bool:
    move = source.metadata.move()
    return move is not None and move.role == "source" and move.phase == "moved"


def decide(metadata: MetadataStore, move: Move | None) -> None:
    """Write an end's record down, trying again when others hold what it needs for a while."""
    for _ in range(ATTEMPTS - 1):
        with suppress(Refusal):
            return metadata.set_move(move)
        time.sleep(PAUSE_SECONDS)
    return metadata.set_move(move)
