"""A clock that only sleeping moves."""


class Clock:
    """Replaces the module ``time`` of the polling."""

    now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
