"""Alembic's folder: `env.py` says how to run, `versions/` holds the steps."""
