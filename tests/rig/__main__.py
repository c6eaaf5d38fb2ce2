"""python -m tests.rig: a real Asterisk to play with.

build [22|16]          fetch and install it (once, about two minutes)
up [22|16]             start it and leave it running
down [22|16]           stop it (without a version: all)
cli pbx|phones LINE    one line of its console      (--version 16 for the other one)
call LINE NUMBER       a customer calls: call 1001 +79161234501 --stay 20
behave WHO WHAT        behave 101 answer:2:8
record DIR VERSION [SCENARIO...]   stage scenarios and keep what a monitor would hear
"""

import argparse
import asyncio
import sys
from pathlib import Path

from tests.rig.build import build
from tests.rig.plan import VERSIONS, NotHere, Plan, plan
from tests.rig.process import running
from tests.rig.rig import connect, down, up


def main() -> int:
    """Run one command; 1 and a line on stderr when this machine cannot."""
    told = _arguments().parse_args()
    try:
        return int(told.do(told) or 0)
    except NotHere as reason:
        print(reason, file=sys.stderr)
        return 1


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.rig", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    for name, do in (("build", _build), ("up", _up), ("down", _down)):
        command = commands.add_parser(name)
        command.add_argument("version", nargs="?", choices=VERSIONS)
        command.set_defaults(do=do)
    for name, words in (("cli", ("side", "line")), ("call", ("line", "number")), ("behave", ("who", "what"))):
        command = commands.add_parser(name)
        for word in words:
            command.add_argument(word, choices=("pbx", "phones") if word == "side" else None)
        command.add_argument("--version", choices=VERSIONS, default=None)
        command.add_argument("--stay", type=float, default=60)
        command.set_defaults(do=_play, name=name)
    record = commands.add_parser("record")
    record.add_argument("folder", type=Path)
    record.add_argument("version", choices=VERSIONS)
    record.add_argument("scenario", nargs="*")
    record.set_defaults(do=_record)
    return parser


def _build(told: argparse.Namespace) -> None:
    print(build(told.version or VERSIONS[0]).root)


def _up(told: argparse.Namespace) -> None:
    here = up(told.version or VERSIONS[0])
    asyncio.run(_wait(here))
    print(_addresses(here))


async def _wait(here: Plan) -> None:
    async with connect(here) as rig:
        print((await rig.cli("pbx", "core show version")).strip())


def _down(told: argparse.Namespace) -> None:
    for version in [told.version] if told.version else VERSIONS:
        down(plan(version))


def _play(told: argparse.Namespace) -> None:
    versions = [told.version] if told.version else [v for v in VERSIONS if running(plan(v), "pbx")]
    if not versions:
        raise NotHere("no rig runs: python -m tests.rig up 22")
    asyncio.run(_act(plan(versions[0]), told))


async def _act(here: Plan, told: argparse.Namespace) -> None:
    async with connect(here) as rig:
        if told.name == "cli":
            print(await rig.cli(told.side, told.line))
        elif told.name == "call":
            await rig.call(told.line, told.number, told.stay)
        else:
            await rig.behave(told.who, told.what)


def _record(told: argparse.Namespace) -> None:
    from tests.rig.record import record

    asyncio.run(record(told.folder, told.version, told.scenario))


def _addresses(here: Plan) -> str:
    return f"""Asterisk {here.version} runs, with 60 phones (101-106, 111-114, ... 611-614), a trunk and customers.

  AMI   127.0.0.1:{here.pbx_ami}   pbxmonitor / {here.secret}  (filtered; "recorder" / {here.rig_secret}: everything)
  ARI   127.0.0.1:{here.pbx_ari}   pbxmonitor / {here.ari_secret}
  SIP   127.0.0.1:{here.pbx_sip} (PBX), {here.phones_sip} (phones)       logs: {here.folder("pbx")}/log

  python -m tests.rig behave 101 answer:2:8            101 answers after 2 s and talks 8 s
  python -m tests.rig call 1001 +79161234501           a customer calls department 1 (1002 one by one,
                                                       1005 direct, 1007 IVR, 1014 escalation; 2001...)
  python -m tests.rig cli pbx "queue show sales1"
  python -m tests.rig down"""


sys.exit(main())
