"""Messages that callers leave: found at the PBX, kept, put into writing, told to staff."""
