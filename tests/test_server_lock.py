"""A file has one server: a second one is refused with a sentence, and the first one does not notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service import Service, sqlite_url

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_server_of_one_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    service = Service(sqlite_url(tmp_path))
    service.start()
    with pytest.raises(AssertionError, match="already served by another"):
        service.twin().start()
    with service.new_site().sender() as sender:
        assert sender.post_events([{"type": "pageview"}]).accepted == 1
    service.stop()
