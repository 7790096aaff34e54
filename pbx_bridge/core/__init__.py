"""Pure judgement: events, facts and the time go in, decisions come out. No I/O lives here."""
