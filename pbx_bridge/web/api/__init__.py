"""The API: what the page shows and does, for other programs.

`operations` is the table of all there is. Routing, validation, roles and the description follow
from it, so that they cannot come apart.
"""
