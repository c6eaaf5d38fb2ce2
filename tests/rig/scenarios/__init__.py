"""The stories staged live: each is played in a department of its own and returns its hand-written truth."""

from tests.rig.scenarios import (
    callbacks,
    consulting,
    direct,
    door,
    freepbx,
    freepbx_codes,
    freepbx_queues,
    overflow,
    passing,
    queues,
    rings,
    states,
    strangers,
    streams,
    talks,
    transfers,
)
from tests.rig.scenarios.story import STORIES, Story

__all__ = [
    "STORIES",
    "Story",
    "callbacks",
    "consulting",
    "direct",
    "door",
    "freepbx",
    "freepbx_codes",
    "freepbx_queues",
    "overflow",
    "passing",
    "queues",
    "rings",
    "states",
    "strangers",
    "streams",
    "talks",
    "transfers",
]
