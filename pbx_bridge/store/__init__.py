"""The only home of SQL: a database file, and plain functions `f(tx, …)` over core types."""
