"""Python runs this when a process of a broken build starts: it breaks what ``TRUST_BROKEN`` names, and nothing else."""

from __future__ import annotations

import os
import traceback
from importlib import import_module

try:
    for name in os.environ["TRUST_BROKEN"].split(","):
        import_module(name)
except Exception:  # noqa: BLE001 - whatever it is, the process must not go on
    # Python would go on with the program as it is, and the check would have nothing to find.
    traceback.print_exc()
    os._exit(70)
