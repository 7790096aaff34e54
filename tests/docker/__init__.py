"""Tests of the containers: built and started for real, by scripts/docker-engine."""
