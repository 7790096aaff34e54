"""What somebody here writes down of a customer's wish for texts, or for none."""

from datetime import datetime

from sqlalchemy import Connection

from pbx_bridge.core.skip import SkipReason
from pbx_bridge.endings import Endings
from pbx_bridge.store import consents
from pbx_bridge.store.consents import ConsentKind, ConsentRecord, ConsentSource


def write_down(  # noqa: PLR0913 - whose wish, which, how it is known, and who says so
    tx: Connection,
    endings: Endings,
    number: str,
    kind: ConsentKind,
    evidence: str,
    *,
    now: datetime,
    by: str,
) -> bool:
    """Put a number (E.164) on the list of opt-outs or take it off; tell whether that was news.

    Nothing is ever removed: who wants texts again has said so, and `evidence` is how that is known.
    What is under way for a number that wants none ends in the same transaction.
    """
    is_out = consents.opted_out(tx, number) is not None
    is_news = is_out is not (kind is ConsentKind.OPT_OUT)
    if is_news:
        consents.record(
            tx,
            ConsentRecord(
                address=number,
                at=now,
                kind=kind,
                source=ConsentSource.OFFICE,
                detail=f"{evidence} ({by})",
                reply_row=None,
            ),
        )
    if kind is ConsentKind.OPT_OUT:
        endings.end(tx, number, now, SkipReason.OPTED_OUT, "opted out, the office says", by=by)
    return is_news
