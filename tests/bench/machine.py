"""On what a benchmark ran: without it a number means nothing."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def machine() -> str:
    """Processor, cores, Python and the libraries that matter, in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
    libraries = ", ".join(f"{name} {version(name)}" for name in ("panoramisk", "sqlalchemy", "aiosqlite", "asyncpg"))
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, {libraries}"
