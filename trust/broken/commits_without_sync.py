"""SQLite commits with synchronous=NORMAL, as many programs set it with WAL: a commit does not wait for the disk."""

from __future__ import annotations

from typing import Any

import apsw


class Careless(apsw.Connection):
    def pragma(self, name: str, *value: Any, **named: Any) -> Any:
        return super().pragma(name, *(["normal"] if name == "synchronous" and value else value), **named)


apsw.Connection = Careless  # type: ignore[misc] # that is the fault
