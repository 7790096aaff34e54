"""Putting messages into writing."""
