"""Finding, keeping and telling the messages that callers leave."""
