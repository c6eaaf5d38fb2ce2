"""`make bench`: all measurements in one run, with the machine they were made on. Exit code 1 if one misses its mark."""

import sys

from tests.bench import (
    bench_callbacks,
    bench_daemon,
    bench_facts,
    bench_floor,
    bench_import,
    bench_live,
    bench_pages,
    bench_reports,
    bench_rows,
)
from tests.bench.machine import machine

if __name__ == "__main__":
    print(machine())
    parts = (
        *(bench_facts, bench_rows, bench_floor, bench_daemon, bench_import, bench_callbacks, bench_reports),
        *(bench_live, bench_pages),
    )
    held = [part.main() for part in parts]
    sys.exit(0 if all(each is not False for each in held) else 1)
