"""Judging again, proving the numbers, and taking in what Asterisk kept."""

import typer


def add_to(cli: typer.Typer) -> None:
    """Add the commands."""
