"""The stories staged live: each is played in a department of its own and returns its hand-written truth."""

from tests.rig.scenarios import callbacks, direct, overflow, queues, states, transfers
from tests.rig.scenarios.story import STORIES, Story

__all__ = ["STORIES", "Story", "callbacks", "direct", "overflow", "queues", "states", "transfers"]
