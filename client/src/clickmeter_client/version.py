"""Which version of the client this is: what the package says and what its User-Agent names."""

from __future__ import annotations

__version__ = "0.1.0"
