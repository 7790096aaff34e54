"""Gateways, against real servers on this machine."""
