"""The embedded Postgres: started on demand, stopped when nobody uses it."""
