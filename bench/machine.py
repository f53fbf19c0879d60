"""Which machine was it? What figures depend on, named as the system names it."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.engines import Known

GIB = 1024**3


def describe(directory: Path, engine: Known) -> dict[str, str]:
    """By name: processor, cores, memory, system, versions, and the file system that holds the databases."""
    name, version = engine.version()
    load = os.getloadavg()[0]
    return {
        "Date": datetime.now(tz=UTC).date().isoformat(),
        "Processor": processor(),
        "Cores": str(os.cpu_count()),
        "Memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / GIB:.1f} GiB",
        "Kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        name: version,
        "File system": file_system(directory),
        "Load before": f"{load:.1f} processes ready to run, on average over a minute",
    }


def processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() in ("model name", "Model"):
                return value.strip()
    return platform.processor() or platform.machine()


def file_system(directory: Path) -> str:
    """The type of what is mounted nearest above a directory; unknown where the system does not say it so."""
    mounts = Path("/proc/mounts")
    if not mounts.exists():
        return "unknown"
    kinds = {Path(fields[1]): fields[2] for fields in map(str.split, mounts.read_text().splitlines())}
    above = [path for path in (directory.resolve(), *directory.resolve().parents) if path in kinds]
    return kinds[above[0]] if above else "unknown"
