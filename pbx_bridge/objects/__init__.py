"""What other programs get to read of us: the shape of each object is a promise.

`--json` prints them, and the API gives them.
"""
