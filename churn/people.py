"""Who works here: the staff list, changed by functions that leave a row in the audit."""

from __future__ import annotations

from dataclasses import dataclass, replace

from churn.db import Database
from churn.gateway import record, rows_of
from churn.web.identity import ROLES


class NoSuchPerson(LookupError):
    """Nobody of that key is on the staff list."""


class NoSuchRole(ValueError):
    """Keepline has no such role."""


@dataclass(frozen=True, slots=True)
class Employee:
    """A line of the staff list. `sign_in` is the e-mail or subject the provider knows them by."""

    staff_id: str
    name: str
    role: str
    team: str | None = None
    sign_in: str | None = None
    is_active: bool = True


def everyone(database: Database) -> list[Employee]:
    """The staff list, those who left included."""
    return [record(Employee, row) for row in rows_of(database, "batch", "access", "staff", {})]


def put(database: Database, person: Employee) -> None:
    """Add a person, or make them what is said here. Raises NoSuchRole."""
    if person.role not in ROLES:
        raise NoSuchRole(f"There is no role '{person.role}'; there are {', '.join(ROLES)}.")
    asked = {
        "staff_id": person.staff_id,
        "name": person.name,
        "role": person.role,
        "team": person.team,
        "sign_in": person.sign_in,
        "is_active": person.is_active,
    }
    rows_of(database, "batch", "access", "set_staff", asked)


def change(database: Database, staff_id: str, **to: str | bool | None) -> Employee:
    """Give somebody another role or team, or let them go: their sessions end at once. Raises NoSuchPerson."""
    found = next((person for person in everyone(database) if person.staff_id == staff_id), None)
    if found is None:
        raise NoSuchPerson(f"Nobody on the staff list has the key {staff_id}.")
    changed = replace(found, **to)  # type: ignore[arg-type]
    put(database, changed)
    return changed
