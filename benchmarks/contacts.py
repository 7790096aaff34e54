"""What contacts cost: importing many, and finding one by its number while it rings.

python -m benchmarks.contacts [CONTACTS]
"""

import asyncio
import io
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection

from pbx_bridge.clock import utc_now
from pbx_bridge.contacts import files, table
from pbx_bridge.contacts.reading import Manner
from pbx_bridge.core.matching import Plan, plan
from pbx_bridge.core.origin import FILE
from pbx_bridge.core.told import Told
from pbx_bridge.store import contact_origins, contacts
from pbx_bridge.store.db import Database

US = Manner("US")


def spreadsheet(count: int) -> bytes:
    """Make a file with two numbers, an address, tags and a note for each."""
    rows = ["name,phone,mobile,e-mail,company,tags,notes"]
    rows += [
        f"Person {n},(212) {200 + n // 10_000:03}-{n % 10_000:04},+44 7{400_000_000 + n},"
        f'p{n}@example.com,Company {n % 500},"a,b{n % 7}",note {n}'
        for n in range(count)
    ]
    return "\n".join(rows).encode()


@contextmanager
def timed(what: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    print(f"{what:34}{time.perf_counter() - began:8.2f} s")


def take(tx: Connection, told: list[Told]) -> Plan:
    made = plan(FILE, told, contact_origins.concerned(tx, FILE, told, by_email=True), by_email=True)
    contact_origins.apply(tx, made, utc_now())
    return made


async def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    body = spreadsheet(count)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        async with Database.open(Path(folder) / "bench.db") as db:
            with timed(f"CSV with {count} contacts read"):
                told = files.read(body, US).told
            with timed("planned and written"):
                made = await db.run(lambda tx: take(tx, told))
            assert len(made.created) == count
            with timed("the same again, nothing changes"):
                made = await db.run(lambda tx: take(tx, told))
            assert not made.created and not made.changed  # noqa: PT018
            found = await db.run(contacts.everyone)
            those = [(str(record.row_id), record.contact) for record in found]
            with timed("written as CSV"):
                table.write(io.StringIO(), those)
            with timed("written as vCards"):
                cards = "".join(files.vcards().write(those)).encode()
            with timed("vCards read"):
                assert len(files.read(cards, US).told) == count
            numbers = [next(iter(contact.numbers)) for _, contact in those[:2000]]

            def look_up(tx: Connection) -> float:
                began = time.perf_counter()
                for number in numbers:
                    assert contacts.of_number(tx, number) is not None
                return (time.perf_counter() - began) / len(numbers)

            print(f"{'one looked up by its number':34}{await db.run(look_up) * 1e6:8.0f} µs")


if __name__ == "__main__":
    asyncio.run(main())
