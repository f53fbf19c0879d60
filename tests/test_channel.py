"""Requests come to a child as they were sent, and answers back to who waits for them, however long they are."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from clickmeter import channel
from clickmeter.channel import MAX_JOINED_BYTES, MEMORY_BYTES, Channel, End, SharedMemory, answer_channel
from clickmeter.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from clickmeter.channel import Message

LENGTHS = [0, 1, 4, MAX_JOINED_BYTES, MAX_JOINED_BYTES + 1, 1_000_000, MEMORY_BYTES, MEMORY_BYTES + 1, 3, 2_000_000]
FOR_MEMORY = [MAX_JOINED_BYTES + 1, 1_000_000, MEMORY_BYTES, 2_000_000]


@pytest.fixture
def lain(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of the messages that lay in memory."""
    lengths: list[int] = []
    put = SharedMemory.put

    def noted(memory: SharedMemory, message: bytes) -> None:
        lengths.append(len(message))
        put(memory, message)

    monkeypatch.setattr(SharedMemory, "put", noted)
    return lengths


async def echoed(kind: type[Channel], messages: Sequence[bytes], *, together: bool) -> list[bytes]:
    """What a child that says what it was told answers, one after the other or all before it begins."""
    begins = threading.Event()

    def echo(message: Message) -> bytes:
        assert begins.wait(10)
        return bytes(message)

    lost = asyncio.Event()
    ours = kind(lost.set)
    with ExitStack() as theirs:
        end = End(theirs)
        # A thread in place of a process: it has descriptors of its own, as a child would.
        name = ":".join(str(os.dup(file)) for file in end.files)
        child = threading.Thread(target=answer_channel, args=(name, echo))
        child.start()
    assert await (await ours.open(end)) == b""
    if together:
        waiting = [ours.call(message) for message in messages]
        begins.set()
        answers = await asyncio.gather(*waiting)
    else:
        begins.set()
        answers = [await ours.call(message) for message in messages]
    ours.close()
    await lost.wait()
    await asyncio.to_thread(child.join)
    return answers


def distinct(lengths: Sequence[int]) -> list[bytes]:
    return [bytes([65 + number]) * length for number, length in enumerate(lengths)]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("shared", [False, True])
def test_messages_of_every_length_come_as_they_were_sent(
    monkeypatch: pytest.MonkeyPatch, lain: list[int], *, shared: bool, together: bool
) -> None:
    if not shared:
        monkeypatch.setattr(channel, "shared_file", lambda: None)
    messages = distinct(LENGTHS)
    assert asyncio.run(echoed(Channel, messages, together=together)) == messages
    assert lain == ([] if not shared else FOR_MEMORY[:1] if together else FOR_MEMORY)


class Careless(Channel):
    """It puts a message in memory while another lies there."""

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, None if name == "_in_memory" else value)


def test_a_message_put_upon_another_would_be_noticed() -> None:
    messages = distinct([100_000, 100_000])
    assert asyncio.run(echoed(Careless, messages, together=True)) == [messages[1], messages[1]]


def test_who_waits_for_a_child_that_is_gone_is_told_and_the_next_child_has_memory_of_its_own(lain: list[int]) -> None:
    async def through_two_children() -> None:
        lost = asyncio.Event()
        ours = Channel(lost.set)
        for message in distinct([1_000_000, 2_000_000]):
            lost.clear()
            with ExitStack() as theirs:
                end = End(theirs)
                files = [os.dup(file) for file in end.files]
            opened = asyncio.ensure_future(ours.open(end))
            os.write(files[0], bytes(4))
            await (await opened)
            waiting = ours.call(message)
            for file in files:
                os.close(file)
            with pytest.raises(Refusal, match="ended"):
                await waiting
            await lost.wait()
            with pytest.raises(Refusal, match="ended"):
                await ours.call(message)

    asyncio.run(through_two_children())
    assert lain == [1_000_000, 2_000_000]
