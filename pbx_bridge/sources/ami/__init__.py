"""Asterisk, watched over its manager interface (AMI).

`frames` cuts the byte stream and throws away what nobody needs, `translate` gives events their
meaning, `link` is one connection (panoramisk with its defects mended), `snapshot` reads the PBX's
own state, `source` keeps it all running for ever, `borrowed` acts for commands that do not watch.
"""
