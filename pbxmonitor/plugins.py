"""Parts that are found by being there: one file in the package, or an entry point of somebody else's."""

import importlib
import pkgutil
from importlib.metadata import entry_points


class PluginError(Exception):
    """A part cannot be used: two claim one kind, or an entry point is not a part."""


def load(package: str) -> dict[str, type]:
    """The classes of the package's modules, and of the entry points named like it, by their `kind`."""
    root = importlib.import_module(package)
    found: dict[str, type] = {}
    for module in pkgutil.iter_modules(root.__path__, f"{package}."):
        for part in vars(importlib.import_module(module.name)).values():
            if isinstance(part, type) and part.__module__ == module.name and _kind(part):
                _add(found, part)
    for entry in entry_points(group=package):
        _add(found, _part(entry.name, entry.load()))
    return found


def _part(name: str, part: object) -> type:
    if not isinstance(part, type) or not _kind(part):
        raise PluginError(f"entry point {name} must be a class with kind, a word")
    return part


def _kind(part: type) -> str:
    kind = part.__dict__.get("kind")
    return kind if isinstance(kind, str) else ""


def _add(found: dict[str, type], part: type) -> None:
    kind = _kind(part)
    if kind in found:
        other = found[kind]
        raise PluginError(
            f"kind {kind!r} is claimed by {other.__module__}.{other.__name__} and {part.__module__}.{part.__name__}"
        )
    found[kind] = part
