"""The two ways in which whatever is told something says no: for good, or for now."""


class Refused(Exception):  # noqa: N818 - what happened, not an error of ours
    """It will say no however often it is told; `reason` is one line for people, without secrets."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Later(Exception):  # noqa: N818 - what happened, not an error of ours
    """Not now: again, after `after_s` seconds at the earliest where it said how long."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_s = after_s
