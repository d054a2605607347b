"""Acting as somebody on a connection that may do everything: what the database knows a person by, without the app."""

from __future__ import annotations

import psycopg

from churn.core.grants import Session


def sit_down(
    owner: psycopg.Connection, staff_id: str = "S1", role: str = "agent", team: str | None = "north"
) -> Session:
    """Make somebody of the staff and have this connection act with their token, without any limit of looking up."""
    owner.execute(
        "INSERT INTO desk.staff (staff_id, name, role, team) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [staff_id, staff_id, role, team],
    )
    owner.execute("DELETE FROM desk.lookup_limits")
    row = owner.execute(
        "SELECT token, session_id, staff_id, role, team, expires_at FROM desk.open_session(%s)", [staff_id]
    )
    found = row.fetchone()
    assert found is not None
    owner.execute("SELECT set_config('keepline.token', %s, false), set_config('search_path', 'crm', false)", [found[0]])
    return Session(*found)
