"""Telling the office's own people: through a hundred services, by e-mail and by text."""
