"""Telling the office's people, over real connections on this machine."""
