"""Missed-call follow-up that runs beside an office's own Asterisk or FreePBX."""

__version__ = "0.1.0"
