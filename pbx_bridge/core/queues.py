"""Who stands where in each queue, as far as joining and leaving tells."""


class Queues:
    """The places of those who wait. A place that was told wrongly mends itself as others leave."""

    def __init__(self) -> None:
        self._queues: dict[str, dict[str, int]] = {}
        self._where: dict[str, str] = {}

    def join(self, queue: str, channel_id: str, place: int) -> None:
        """Let a channel wait at a place, 1 being next; those from there on move back."""
        self.leave(channel_id)
        waiting = self._queues.setdefault(queue, {})
        for other, theirs in waiting.items():
            if theirs >= place:
                waiting[other] = theirs + 1
        waiting[channel_id] = place
        self._where[channel_id] = queue

    def leave(self, channel_id: str) -> None:
        """Take a channel out of the queue that it waits in, if it does; those behind move up."""
        queue = self._where.pop(channel_id, None)
        if queue is None:
            return
        waiting = self._queues[queue]
        place = waiting.pop(channel_id)
        for other, theirs in waiting.items():
            if theirs > place:
                waiting[other] = theirs - 1
        if not waiting:
            del self._queues[queue]

    def place(self, channel_id: str) -> int:
        """Give the place of a channel; 0 if it waits in no queue."""
        queue = self._where.get(channel_id)
        return 0 if queue is None else self._queues[queue][channel_id]

    @property
    def held(self) -> int:
        """Count those who wait."""
        return len(self._where)
