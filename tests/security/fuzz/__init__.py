"""Fuzz targets: one module for each thing that strangers can feed, with what must hold of it.

A target has `check(data)`, whose docstring is the invariant, and `seeds()`: real input to begin
with. It may have `LONGEST`, how many bytes it is given. Whatever `check` raises is a finding.
`tests.security.fuzzing` knows them all; docs/fuzzing.md says how they are run.
"""
