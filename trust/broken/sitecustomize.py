"""Python runs this when a process of a broken build starts: it breaks what ``TRUST_BROKEN`` names, and nothing else."""

from __future__ import annotations

import os
from importlib import import_module

import_module(os.environ["TRUST_BROKEN"])
