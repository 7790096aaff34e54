"""Events per second on one core, from bytes to verdict, beside panoramisk on the same bytes.

    python -m benchmarks.throughput [RECORDINGS_FOLDER]

Every run takes the same stream of interleaved recorded calls, in packets as a socket gives them.
Panoramisk parses and dispatches to one callback that does nothing; we parse, translate and judge.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from panoramisk import Manager
from panoramisk.ami_protocol import AMIProtocol

from benchmarks.stream import RECORDINGS, busy, recorded_calls
from pbx_bridge.clock import utc_now
from pbx_bridge.core.call import CallEnded
from pbx_bridge.core.tracker import CallTracker, Inbound
from pbx_bridge.sources.ami.frames import FrameReader
from pbx_bridge.sources.ami.translate import translate

CALLS, AT_ONCE, RUNS, PACKET = 1500, 100, 5, 16_384


def ours(packets: list[bytes]) -> int:
    reader, tracker = FrameReader(), CallTracker(Inbound())
    verdicts = 0
    for packet in packets:
        at = utc_now()
        for frame in reader.feed(packet):
            event = translate(frame, at)
            if event is not None:
                verdicts += sum(isinstance(t, CallEnded) for t in tracker.receive(event))
    return verdicts


def panoramisks(packets: list[bytes]) -> int:
    manager = Manager()
    protocol = AMIProtocol()
    protocol.connection_made(None)
    protocol.factory, protocol.encoding = manager, "utf8"
    seen = 0

    def count(_manager: object, _event: object) -> None:
        nonlocal seen
        seen += 1

    manager.register_event("*", count)
    for packet in packets:
        protocol.data_received(packet)
    return seen


def timed(what: Callable[[list[bytes]], int], packets: list[bytes]) -> tuple[float, int]:
    began = time.process_time()
    result = what(packets)
    return time.process_time() - began, result


async def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDINGS
    messages = list(busy(recorded_calls(folder), CALLS, AT_ONCE))
    stream = b"".join(messages)
    packets = [stream[n : n + PACKET] for n in range(0, len(stream), PACKET)]
    print(f"{CALLS} calls, {len(messages)} events, {len(stream) / 1e6:.1f} MB, {AT_ONCE} at once")
    rates: dict[str, list[float]] = {"panoramisk": [], "pbx_bridge": []}
    result = 0
    for _ in range(RUNS):
        for name, what in (("panoramisk", panoramisks), ("pbx_bridge", ours)):
            seconds, result = timed(what, packets)
            rates[name].append(len(messages) / seconds)
    for name, values in rates.items():
        spread = f"{min(values):,.0f} to {max(values):,.0f}"
        print(
            f"{name:11} {statistics.median(values):>10,.0f} events/s, median of {RUNS} ({spread})"
        )
    ratio = statistics.median(rates["pbx_bridge"]) / statistics.median(rates["panoramisk"])
    print(f"ratio       {ratio:.1f}; {result} verdicts a run")


if __name__ == "__main__":
    asyncio.run(main())
