"""`sql/schema.sql` is what the migrations build: two databases, made each way, compared object by object."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from churn import db
from churn.settings import SQL, Settings
from tests.conftest import clone

Catalogue = dict[str, str]

# Names used below, gone with the transaction: our schemas without what `migrate` keeps for itself, and rights as words.
NAMES = """
CREATE TEMPORARY VIEW ours AS
    SELECT * FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema';
CREATE TEMPORARY VIEW our_relations AS
    SELECT c.* FROM pg_class c JOIN ours n ON n.oid = c.relnamespace WHERE c.relname !~ '^keepline_migrations';
CREATE FUNCTION pg_temp.rights(acl aclitem[], kind "char", owner oid) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(
               format('%s may %s%s', coalesce(g.rolname, 'everybody'), e.privilege_type,
                      CASE WHEN e.is_grantable THEN ' and pass it on' END),
               ', ' ORDER BY g.rolname NULLS FIRST, e.privilege_type), 'nobody')
    FROM aclexplode(coalesce(acl, acldefault(kind, owner))) e LEFT JOIN pg_roles g ON g.oid = e.grantee
$$;
"""
# Each gives rows of (object, definition).
CATALOGUE: dict[str, LiteralString] = {
    "database": """
        SELECT 'the database', pg_temp.rights(d.datacl, 'd', d.datdba)
        FROM pg_database d WHERE d.datname = current_database()""",
    "extension": "SELECT extname, extversion FROM pg_extension",
    "schema": """
        SELECT n.nspname, format('owner %s; %s', n.nspowner::regrole, pg_temp.rights(n.nspacl, 'n', n.nspowner))
        FROM ours n""",
    "relation": """
        SELECT c.oid::regclass, format(
            'kind %s; owner %s; kept %s; options %s; row security %s %s; %s', c.relkind, c.relowner::regrole,
            c.relpersistence, c.reloptions, c.relrowsecurity, c.relforcerowsecurity,
            pg_temp.rights(c.relacl, CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner))
        FROM our_relations c WHERE c.relkind NOT IN ('i', 'I')""",
    "column": """
        SELECT format('%s.%s', c.oid::regclass, a.attname), format(
            'number %s; %s; not null %s; default %s; identity %s; generated %s; collation %s; rights %s', a.attnum,
            format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity,
            a.attgenerated, a.attcollation::regcollation, a.attacl)
        FROM pg_attribute a JOIN our_relations c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 'S')""",
    "constraint": """
        SELECT format('%s on %s', k.conname, coalesce(c.oid::regclass::text, k.contypid::regtype::text)),
               format('%s; checked %s', pg_get_constraintdef(k.oid), k.convalidated)
        FROM pg_constraint k JOIN ours n ON n.oid = k.connamespace LEFT JOIN our_relations c ON c.oid = k.conrelid
        WHERE c.oid IS NOT NULL OR k.contypid <> 0""",
    "index": """
        SELECT c.oid::regclass, format('%s; valid %s', pg_get_indexdef(c.oid), i.indisvalid)
        FROM pg_index i JOIN our_relations c ON c.oid = i.indexrelid""",
    "view": "SELECT c.oid::regclass, pg_get_viewdef(c.oid) FROM our_relations c WHERE c.relkind IN ('v', 'm')",
    "function": """
        SELECT p.oid::regprocedure, format('%s; owner %s; %s', pg_get_functiondef(p.oid), p.proowner::regrole,
                                           pg_temp.rights(p.proacl, 'f', p.proowner))
        FROM pg_proc p JOIN ours n ON n.oid = p.pronamespace WHERE p.prokind <> 'a'""",
    "trigger": """
        SELECT format('%s on %s', t.tgname, t.tgrelid::regclass),
               format('%s; enabled %s', pg_get_triggerdef(t.oid), t.tgenabled)
        FROM pg_trigger t JOIN our_relations c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal""",
    "policy": """
        SELECT format('%s on %s.%s', policyname, schemaname, tablename),
               format('%s; %s; to %s; using %s; check %s', permissive, cmd, roles, qual, with_check)
        FROM pg_policies""",
    "type": """
        SELECT t.oid::regtype, format(
            'kind %s; owner %s; labels %s; base %s; %s', t.typtype, t.typowner::regrole,
            (SELECT array_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
            format_type(nullif(t.typbasetype, 0), t.typtypmod), pg_temp.rights(t.typacl, 'T', t.typowner))
        FROM pg_type t JOIN ours n ON n.oid = t.typnamespace
        WHERE t.typelem = 0 AND t.typname !~ '^keepline_migrations'""",
    "sequence": """
        SELECT c.oid::regclass, format('%s from %s by %s, %s to %s, cache %s, cycle %s', s.seqtypid::regtype,
                                       s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle)
        FROM pg_sequence s JOIN our_relations c ON c.oid = s.seqrelid""",
    "row policy": """
        SELECT format('%s on %s', p.polname, p.polrelid::regclass),
               format('%s %s to %s using %s check %s', p.polcmd, p.polpermissive, p.polroles::regrole[],
                      pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
        FROM pg_policy p JOIN our_relations c ON c.oid = p.polrelid""",
    "statistics": """
        SELECT s.stxname, pg_get_statisticsobjdef(s.oid)
        FROM pg_statistic_ext s JOIN ours n ON n.oid = s.stxnamespace""",
    "default right": """
        SELECT format('of %s on %s in %s', d.defaclrole::regrole, d.defaclobjtype,
                      nullif(d.defaclnamespace, 0)::regnamespace), d.defaclacl::text
        FROM pg_default_acl d""",
}
TABLES = """
    SELECT n.nspname, c.relname FROM our_relations c JOIN ours n ON n.oid = c.relnamespace WHERE c.relkind = 'r'"""


def catalogue_of(connection: psycopg.Connection) -> Catalogue:
    """Every object of a database by kind and name, and every row it began with. Leaves nothing behind."""
    with connection.transaction(force_rollback=True):
        connection.execute(NAMES)
        found = {
            f"{kind} {name}": definition
            for kind, query in CATALOGUE.items()
            for name, definition in connection.execute(query)
        }
        for schema, table in connection.execute(TABLES).fetchall():
            rows = sql.SQL("SELECT to_jsonb(t)::text FROM {} t").format(sql.Identifier(schema, table))
            found |= {f"row of {schema}.{table} {row}": "there" for (row,) in connection.execute(rows)}
    return found


def differences(migrated: Catalogue, written: Catalogue) -> list[str]:
    """Every object that is not the same, one sentence each."""
    said = [f"schema.sql lacks {name}" for name in migrated.keys() - written.keys()]
    said += [f"no migration makes {name}" for name in written.keys() - migrated.keys()]
    said += [
        f"{name} differs\n  migrations: {migrated[name]}\n  schema.sql: {written[name]}"
        for name in migrated.keys() & written.keys()
        if migrated[name] != written[name]
    ]
    return sorted(said)


@pytest.fixture(scope="module")
def migrated(template: Settings) -> Iterator[Catalogue]:
    """The database as the migrations build it; of a clone, for a template cannot be cloned while it is read."""
    for settings in clone(template):
        with psycopg.connect(db.admin_conninfo(settings)) as connection:
            found = catalogue_of(connection)
        yield found


@pytest.fixture(scope="module")
def written(template: Settings) -> Iterator[psycopg.Connection]:
    """A database made of roles.sql, schema.sql and grants.sql alone; what a test does to it is undone."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw")
    settings = replace(template, database=f"{template.database}_{worker}_schema")
    name = sql.Identifier(settings.database)
    with psycopg.connect(db.admin_conninfo(template, "postgres"), autocommit=True) as server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            with psycopg.connect(db.admin_conninfo(settings)) as connection:
                for file in ("roles.sql", "schema.sql", "grants.sql"):
                    connection.execute((SQL / file).read_text())
                connection.commit()
                yield connection
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def test_schema_and_migrations_build_the_same(migrated: Catalogue, written: psycopg.Connection) -> None:
    found = differences(migrated, catalogue_of(written))
    assert not found, "\n".join(found)


def test_the_catalogue_holds_all_kinds(migrated: Catalogue) -> None:
    kinds = {kind for kind in CATALOGUE if any(name.startswith(f"{kind} ") for name in migrated)}
    assert kinds >= set(CATALOGUE) - {"row policy", "statistics"}
    assert "column desk.cases.outcome" in migrated
    assert "function desk.give_concession(text,uuid,text,bigint,text,integer,uuid)" in migrated


@pytest.mark.parametrize(
    ("breach", "named"),
    [
        ("ALTER TABLE desk.cases ALTER staff_id DROP NOT NULL", "column desk.cases.staff_id differs"),
        ("ALTER TABLE feed.contacts ALTER is_escalated SET DEFAULT true", "column feed.contacts.is_escalated differs"),
        ("ALTER TABLE truth.agents ALTER talent TYPE numeric", "column truth.agents.talent differs"),
        ("ALTER TABLE desk.ledger ALTER entry_id SET GENERATED BY DEFAULT", "column desk.ledger.entry_id differs"),
        ("ALTER TABLE desk.cases DROP referral", "schema.sql lacks column desk.cases.referral"),
        ("ALTER TABLE desk.staff ADD pay numeric", "no migration makes column desk.staff.pay"),
        ("ALTER TABLE desk.approvals DROP CONSTRAINT approvals_check", "schema.sql lacks constraint approvals_check"),
        ("DROP INDEX desk.ledger_budget_day", "schema.sql lacks index desk.ledger_budget_day"),
        ("CREATE OR REPLACE VIEW crm.usage AS SELECT * FROM feed.usage LIMIT 1", "view crm.usage differs"),
        ("ALTER FUNCTION desk.give_concession SECURITY INVOKER", "function desk.give_concession(text,uuid,"),
        ("ALTER TABLE desk.ledger ENABLE TRIGGER append_only_row", "trigger append_only_row on desk.ledger differs"),
        ("ALTER TYPE desk.person ADD ATTRIBUTE age integer", "no migration makes column desk.person.age"),
        ("ALTER TABLE desk.budgets OWNER TO CURRENT_USER", "relation desk.budgets differs"),
        ("GRANT SELECT ON truth.customers TO keepline_analyst", "relation truth.customers differs"),
        ("GRANT EXECUTE ON FUNCTION desk.draw TO PUBLIC", "function desk.draw(bigint,bigint,text) differs"),
        ("ALTER SEQUENCE desk.ledger_entry_id_seq CACHE 20", "sequence desk.ledger_entry_id_seq differs"),
        (
            "INSERT INTO desk.approval_moves VALUES ('declined', 'used')",
            "no migration makes row of desk.approval_moves",
        ),
    ],
)
def test_a_difference_is_named(
    migrated: Catalogue, written: psycopg.Connection, breach: LiteralString, named: str
) -> None:
    with written.transaction(force_rollback=True):
        written.execute(breach)
        found = differences(migrated, catalogue_of(written))
    assert any(named in sentence for sentence in found), found
