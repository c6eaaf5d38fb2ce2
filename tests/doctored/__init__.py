"""Recordings changed into streams that no PBX sends at will; a module for each kind, imported here."""

from tests.doctored import endings, streams
from tests.doctored.change import DOCTORED, SCENARIOS, Doctored

__all__ = ["DOCTORED", "SCENARIOS", "Doctored", "endings", "streams"]
