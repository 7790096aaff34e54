"""The service under load and with faults: what the receivers got is counted."""
