"""Debian's Asterisk in a folder of its own, and its configuration laid out in it."""

import fcntl
import http
import os
import platform
import shutil
import subprocess
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rig.plan import HOME, LAB, OPERATOR, REPOSITORY, SUITES, NotHere, Plan, plan

CONFIGS = REPOSITORY / "docker" / "asterisk" / "etc"

PACKAGES = {
    "22": "asterisk asterisk-core-sounds-en-gsm",
    "16": "asterisk asterisk-core-sounds-en-gsm asterisk-voicemail",
}
# Of the whole machine: two versions, two checkouts and .ci/services may want a package at the same moment.
APT_LOCK = Path("/run/pbxmonitor-apt.lock")
APT_PATIENCE_S = 300
NAMESPACE = ["unshare", "--mount", "--propagation", "private"]
MOUNTS = 'mount -t proc proc "$ROOT/proc"; mount --rbind /dev "$ROOT/dev"'


def private(root: Path, script: str, *, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run a shell script in a mount namespace of its own: proc and dev stand in the folder only while it runs."""
    command = [*NAMESPACE, "bash", "-ceu", f"{MOUNTS}\n{script}"]
    env = {**os.environ, "ROOT": str(root), "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=timeout, check=False)


def require() -> None:
    """Raise NotHere unless this is root on Debian with namespaces."""
    if os.geteuid() != 0:
        raise NotHere("the Asterisk rig needs root: run as root, or use docker/asterisk")
    if not Path("/etc/debian_version").exists():
        raise NotHere(f"the Asterisk rig needs Debian, this is {platform.platform()}: use docker/asterisk")
    if shutil.which("unshare") is None:
        raise NotHere("the Asterisk rig needs unshare: apt-get install util-linux")


def build(version: str, instance: str = LAB) -> Plan:
    """Install that Asterisk into its folder unless it is there; about two minutes, once. Raises NotHere."""
    require()
    here = plan(version, instance)
    HOME.mkdir(parents=True, exist_ok=True)
    with alone(HOME / f"{version}.lock"):
        if not (here.root / "usr/sbin/asterisk").exists():
            _install(here)
        elif not any(here.root.glob("usr/lib/**/app_voicemail.so")):  # a folder of before it was wanted
            _install_asterisk(here, here.root)
    return here


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait for the file's lock and hold it."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(here: Plan) -> None:
    suite, mirror = SUITES[here.version], _mirror()
    _debootstrap_here()
    half = here.root.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    known = Path("/usr/share/debootstrap/scripts") / suite
    script = known if known.exists() else known.with_name("sid")
    command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", suite, str(half), mirror, str(script)]
    # what debootstrap mounts ends with it, however it ends: the next build removes this folder
    done = subprocess.run([*NAMESPACE, *command], capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        raise NotHere(f"Debian {suite} (Asterisk {here.version}) {_why(suite, mirror, done)}; try: {' '.join(command)}")
    _prepare(half)
    _install_asterisk(here, half)
    half.rename(here.root)


def _install_asterisk(here: Plan, root: Path) -> None:
    packages = PACKAGES[here.version]
    done = private(root, f'chroot "$ROOT" sh -ec "apt-get update -q && apt-get install -y -q {packages}"')
    if done.returncode:
        raise NotHere(f"Asterisk of Debian {SUITES[here.version]} could not be installed: {_last_line(done)}")


def _why(suite: str, mirror: str, done: subprocess.CompletedProcess[str]) -> str:
    try:
        urllib.request.urlopen(f"{mirror.rstrip('/')}/dists/{suite}/InRelease", timeout=30).close()
    except urllib.error.HTTPError as answer:
        if answer.code == http.HTTPStatus.NOT_FOUND:
            return f"left the mirror {mirror}"
    except OSError as error:
        return f"could not be fetched: {error}"
    return f"could not be fetched: {_last_line(done)}"


def _prepare(root: Path) -> None:
    # the Release file of Debian testing may be past its date
    apt = 'APT::Install-Recommends "false";\nAcquire::Check-Valid-Until "false";\n'
    (root / "etc/apt/apt.conf.d/99rig").write_text(apt)
    nothing_starts = root / "usr/sbin/policy-rc.d"
    nothing_starts.write_text("#!/bin/sh\nexit 101\n")
    nothing_starts.chmod(0o755)
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")


def _debootstrap_here() -> None:
    with alone(APT_LOCK):
        if shutil.which("debootstrap") is not None:
            return
        apt("update")
        done = apt("install", "-y", "debootstrap")
    if shutil.which("debootstrap") is None:
        raise NotHere(f"the Asterisk rig needs debootstrap: apt-get install debootstrap ({_last_line(done)})")


def apt(*words: str) -> subprocess.CompletedProcess[str]:
    """Run apt-get as soon as whoever holds its locks lets go; its own patience covers dpkg's lock only."""
    command = ["apt-get", "-q", "-o", f"DPkg::Lock::Timeout={APT_PATIENCE_S}", *words]
    env = {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    enough = time.monotonic() + APT_PATIENCE_S
    while True:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=900, check=False)
        if "Could not get lock" not in done.stderr or time.monotonic() > enough:
            return done
        time.sleep(1)


def _mirror() -> str:
    """The mirror this machine uses, so that a proxy or a local one serves."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout.split()
    return next((uri for uri in told if uri.rstrip("/").endswith("/debian")), "http://deb.debian.org/debian")


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("E:")]
    return textwrap.shorten((errors or lines or ["no word"])[-1], 200)


def lay_out(here: Plan, side: str) -> None:
    """Fresh configuration and empty state for "pbx" or "phones"; the operator's files as he would copy them."""
    folder = here.folder(side)
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("lib", "db", "keys", "spool", "log/cdr-csv", "log/cel-custom", "run"):
        (folder / part).mkdir(parents=True)
    shutil.copytree(CONFIGS / side, folder / "etc")
    if side == "pbx":
        shutil.copytree(OPERATOR, folder / "etc/pbxmonitor", ignore=shutil.ignore_patterns("manager.d"))
        (folder / "etc/manager.d").mkdir()
        shutil.copy(OPERATOR / "manager.d/pbxmonitor.conf", folder / "etc/manager.d/pbxmonitor.conf")
        filters = OPERATOR / f"manager.d/filters-{here.version}.conf"
        if filters.exists():
            shutil.copy(filters, folder / "etc/manager.d/pbxmonitor.filters")
        if here.version == "16":
            _with_macros(folder / "etc/extensions_freepbx.conf")
    words = here.words(side)
    for path in (folder / "etc").glob("*.conf"):
        text = path.read_text()
        for word, value in words.items():
            text = text.replace(f"@{word}@", value)
        path.write_text(text)
    # without the host's own name in it, every SIP message waits for a DNS time-out
    (here.root / "etc/hosts").write_text(f"127.0.0.1 localhost {platform.node()} A.ROOT-SERVERS.NET\n")


def _with_macros(dialplan: Path) -> None:
    """FreePBX 16 has macros where 17 has subroutines."""
    subprocess.run(["sed", "-E", "-i", "-f", str(CONFIGS.parent / "macros.sed"), str(dialplan)], check=True)
