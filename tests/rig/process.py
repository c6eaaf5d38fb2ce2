"""One Asterisk process in its folder: started, found again after a crash, stopped. Only what we started is touched."""

import os
import select
import signal
import time
from pathlib import Path

from tests.rig.build import lay_out, private
from tests.rig.plan import NotHere, Plan


def start_process(here: Plan, side: str) -> int:
    """Lay the side out and start it in the background; the process id, once it has written it (at most 30 s)."""
    stop_process(here, side)
    lay_out(here, side)
    done = private(here.root, f'exec chroot "$ROOT" asterisk -C {here.inside(side)}/etc/asterisk.conf', timeout=60)
    if done.returncode:
        raise NotHere(f"Asterisk {here.version} ({side}) did not start: {(done.stdout + done.stderr).strip()[-200:]}")
    # It goes to the background before it writes its pid, so on a busy machine we are back first.
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (pid := running(here, side)) is not None:
            return pid
        time.sleep(0.05)
    raise NotHere(f"Asterisk {here.version} ({side}) wrote no pid within 30 s; see {here.folder(side) / 'log/full'}")


def running(here: Plan, side: str) -> int | None:
    """The id of our process of this side, or None; a stale pid file of a crashed run is not believed."""
    try:
        pid = int((here.folder(side) / "run/asterisk.pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        root = Path(f"/proc/{pid}/root").readlink()
    except (OSError, ValueError):
        return None
    ours = f"{here.inside(side)}/etc/asterisk.conf".encode() in words and root == here.root.resolve()
    return pid if ours else None


def stop_process(here: Plan, side: str) -> None:
    """Stop our process of this side and wait for its end (at most 10 s, then by force)."""
    pid = running(here, side)
    if pid is None:
        return
    watch = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(watch, signal.SIGTERM)
        if not _ended(watch, 10_000):
            signal.pidfd_send_signal(watch, signal.SIGKILL)
            _ended(watch, 5_000)
    except ProcessLookupError:
        pass
    finally:
        os.close(watch)


def _ended(watch: int, milliseconds: int) -> bool:
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    return bool(poll.poll(milliseconds))
