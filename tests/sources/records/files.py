"""The records that two Asterisks wrote of some of the calls of tests/e2e (tests/recordings)."""

from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "recordings" / "records"
VERSIONS = ("22", "16")
EVER = datetime.fromtimestamp(0, UTC)

#: What truly became of the calls, by the number that called.
TRUTH = {
    "+12125551017": ("missed", "ivr_abandoned"),
    "+12125551024": ("missed", "announcement_only"),
    "+12125551029": ("answered", "answered"),  # in a conference
    "+12125551033": ("answered", "lost_in_transfer"),
    "+12125551052": ("answered", "answered"),  # in a queue
    "+12125551053": ("missed", "queue_unserved"),  # gave up while the agent was told what it is
    "+12125551055": ("missed", "queue_abandoned"),
    "+12125551064": ("answered", "answered"),  # in a queue, through a Local channel
    "+12125551066": ("answered", "answered"),  # by an agent who waited in a pool
    "+12125551067": ("missed", "rang_no_answer"),
    "+12125551068": ("missed", "rang_cancelled"),
    "+12125551069": ("answered", "answered"),
    "+12125551071": ("missed", "busy"),
    "+12125551073": ("missed", "unavailable"),
    "+12125551078": ("missed", "voicemail_hangup"),
    "+12125551081": ("answered", "answered"),  # in a ring group of Local channels
    "+12125551083": ("missed", "voicemail_hangup"),  # of a member of a ring group
}
#: Some calls are only in the records of one Asterisk.
CALLS = {"22": 17, "16": 8}
