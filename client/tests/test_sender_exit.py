"""A process that ends, or forks, sends what it has queued."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from scripted_peer import Peer

    from clickmeter_client import EventSender

    SenderTo = Callable[..., EventSender]


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_events_are_sent_when_the_interpreter_ends(peer: Peer) -> None:
    ended = run(
        """
        import sys
        from clickmeter_client import EventSender
        sender = EventSender(sys.argv[1], property_id="prop_1", write_key="cm_w_key", linger=60)
        for _ in range(3):
            print(sender.track("a"))
        """,
        peer.url,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert peer.accepted_ids == ended.stdout.split()
    assert len(peer.accepted_ids) == 3


def test_an_unhandled_exception_ends_with_a_flush_too(peer: Peer) -> None:
    ended = run(
        """
        import sys
        from clickmeter_client import EventSender
        sender = EventSender(sys.argv[1], property_id="prop_1", write_key="cm_w_key", linger=60)
        sender.track("a")
        raise SystemExit("stop")
        """,
        peer.url,
    )
    assert (ended.returncode, ended.stderr) == (1, "stop\n")
    assert len(peer.accepted_ids) == 1


def test_a_dead_server_delays_the_end_no_longer_than_allowed() -> None:
    begin = time.monotonic()
    ended = run(
        """
        from clickmeter_client import EventSender
        sender = EventSender("http://127.0.0.1:1", property_id="p", write_key="k", linger=60, close_timeout=0.5)
        sender.track("a")
        """
    )
    assert ended.returncode == 0
    assert "1 event(s) lost (closed)" in ended.stderr
    assert time.monotonic() - begin < 10


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_after_a_fork_parent_and_child_send_their_own(peer: Peer) -> None:
    ended = run(
        """
        import os, sys
        from clickmeter_client import EventSender
        sender = EventSender(sys.argv[1], property_id="prop_1", write_key="cm_w_key", linger=60)
        sender.track("a", event_id="parent-before")
        child = os.fork()
        if child == 0:
            sender.track("a", event_id="child")
            os._exit(0 if sender.flush(5) else 1)
        sender.track("a", event_id="parent-after")
        sys.exit(os.waitpid(child, 0)[1])
        """,
        peer.url,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert sorted(asked.ids for asked in peer.asked) == [["child"], ["parent-before", "parent-after"]]
