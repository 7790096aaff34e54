"""Tests against a real Asterisk, called by real SIP phones (SIPp)."""
