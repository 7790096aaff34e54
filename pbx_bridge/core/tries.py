"""How often something may be tried: so many failures in a time, counted for each key."""

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

#: Keys that are remembered; whoever fills this up by many addresses is forgotten first.
MOST_KEYS = 20_000


@dataclass
class Tries:
    """Failures within `within`; after `most` of them a key has to wait."""

    most: int
    within: timedelta
    _failures: OrderedDict[Hashable, deque[datetime]] = field(default_factory=OrderedDict)

    def wait(self, key: Hashable, now: datetime) -> timedelta:
        """Tell for how long nothing may be tried; zero: it may be now."""
        failures = self._recent(key, now)
        if failures is None or len(failures) < self.most:
            return timedelta()
        return failures[0] + self.within - now

    def failed(self, key: Hashable, now: datetime) -> None:
        """Count a failure."""
        failures = self._recent(key, now)
        if failures is None:
            failures = deque(maxlen=self.most)
        failures.append(now)
        self._failures[key] = failures
        self._failures.move_to_end(key)
        while len(self._failures) > MOST_KEYS:
            self._failures.popitem(last=False)

    def forget(self, key: Hashable) -> None:
        """Forget the failures of one that succeeded."""
        self._failures.pop(key, None)

    def _recent(self, key: Hashable, now: datetime) -> deque[datetime] | None:
        failures = self._failures.get(key)
        if failures is None:
            return None
        while failures and failures[0] <= now - self.within:
            failures.popleft()
        if failures:
            return failures
        del self._failures[key]
        return None
