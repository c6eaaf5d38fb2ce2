"""Logs: one event per line, JSON or console, the libraries' own lines with ours, everything through one mask."""

import logging
import sys
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from pbxmonitor.masking import masked_mapping

# Their chatter is a line per request or, worse, per login.
NOISY = (
    "apscheduler",
    "httpx",
    "httpcore",
    "panoramisk",
    "websockets",
    "asyncio",
    "aiosqlite",
    "sqlalchemy",
    "alembic",
    "apprise",
    "urllib3",
    "requests",
)


def set_up(level: str = "info", form: str = "auto", stream: TextIO | None = None) -> None:
    """Send every log line to `stream` (stderr); `form` is json, console, or auto: console on a terminal only."""
    stream = stream or sys.stderr
    console = form == "console" or (form == "auto" and stream.isatty())
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*_common(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    _take_over_stdlib(number, stream, _formatter(console=console, colors=stream.isatty()))
    sys.excepthook = _log_uncaught


def _common() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(*, console: bool, colors: bool) -> structlog.stdlib.ProcessorFormatter:
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_common(), structlog.stdlib.ExtraAdder(), structlog.stdlib.add_logger_name],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            mask,
            _in_order,
            renderer,
        ],
    )


def _take_over_stdlib(level: int, stream: TextIO, formatter: logging.Formatter) -> None:
    out = logging.StreamHandler(stream)
    out.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [out]
    root.setLevel(level)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def mask(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """The one processor through which everything that is written passes."""
    return masked_mapping(event)


def _in_order(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    first = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    return {**first, **event}


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> Any:
    if issubclass(kind, KeyboardInterrupt):
        return
    structlog.get_logger().critical("uncaught", exc_info=(kind, error, trace))
