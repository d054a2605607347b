"""Sources: from the tables a company has to views that keep the contract; nothing changes before the last step.

What is applied is a mapping somebody registered on the host, byte for byte; the page writes the command for that.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from churn import audit
from churn.core import sources as core
from churn.core import words
from churn.core.language import mark, number, t, tc, tn
from churn.core.sources import BadMapping, Chosen, Source
from churn.crm import sources
from churn.crm.sources import Found, Move, NotMapped, Preview, Registered
from churn.refusals import Refusal
from churn.ui.gate import Session
from churn.ui.pieces import heading, plain, reading
from churn.ui.policy_pieces import heads
from churn.ui.tables import show_table

NOTHING = mark(
    "There are no tables but Keepline's own in this database yet: let your sync tool write a schema into it."
)
USUAL = "the usual"


def show_sources(session: Session) -> None:
    """What is in force, and the way to something else."""
    with reading(t("The sources")):
        known = sources.load()
        with session.database.transaction(session.me) as connection:
            schemas = sources.schemas(connection)
            moves = sources.moves(connection)
            mappings = sources.registered(connection)
        _in_force(session, moves)
        if not schemas:
            st.info(t(NOTHING), icon=":material/inbox:")
        else:
            try:
                _walk(session, known, list(schemas), mappings, moves)
            except (BadMapping, NotMapped) as error:
                st.warning(plain(str(error)), icon=":material/block:")
        _history(session, moves)


def _in_force(session: Session, moves: list[Move]) -> None:
    done = st.session_state.pop("source-done", None)
    if done:
        st.success(done, icon=":material/check_circle:")
    move = moves[0] if moves and moves[0].mapping_id else None
    if move is None:
        st.caption(t("In force: the views over the feed, which imports or the simulated company fill."))
        return
    when = words.moment(move.moved_at, session.company.time_zone)
    told = t(
        "In force: {what}; since {when}, by {who}: {why}", what=move.title, when=when, who=move.moved_by,
        why=move.reason,
    )  # fmt: skip
    st.caption(plain(told))
    with st.popover(t("Take it back"), icon=":material/undo:"):
        st.write(t("The views read the feed again; the mapping stays registered and can be applied anew."))
        reason = st.text_input(t("Why"), key="why-back", max_chars=300)
        if st.button(t("Back to the feed's own views"), key="back"):
            _done(
                lambda: sources.apply(session.database, session.me, None, reason),
                t("The views are the feed's own again."),
            )


def _walk(
    session: Session, known: dict[str, Source], schemas: list[str], mappings: list[Registered], moves: list[Move]
) -> None:
    chosen = _choose(known, schemas)
    if chosen is None:
        return
    with session.database.transaction(session.me) as connection:
        found = sources.inspect(connection, known, chosen)
        statement = sources.statement_of(connection, known, chosen)
    st.caption(plain(core.title_of(known, chosen)))
    if not _columns(found):
        return
    mapping = next((one for one in mappings if one.sha256 == sources.digest_of(statement)), None)
    _review(chosen, statement, mapping)
    if mapping is not None:
        _look(session, mapping)
        _apply(session, mapping, moves)


def _choose(known: dict[str, Source], schemas: list[str]) -> Chosen | None:
    heading(t("1 · Sources"), help=t("Which systems stand in this database, each in a schema of its own."))
    names = st.multiselect(t("Sources"), list(known), format_func=lambda name: known[name].title, key="sources")
    if not names:
        st.info(t("Choose the systems your tables come from: a CRM for the customers, a help desk, billing."),
                icon=":material/arrow_upward:")  # fmt: skip
        return None
    placed, keys, takes = {}, {}, {}
    for name in names:
        left, right = st.columns(2)
        usual = schemas.index(name) if name in schemas else 0
        schema = t("Schema of {source}", source=known[name].title)
        placed[name] = left.selectbox(schema, schemas, index=usual, key=f"schema-{name}")
        st.caption(plain(known[name].about))
        if known[name].keys:
            key = right.selectbox(
                t("{source} is joined by", source=known[name].title),
                [USUAL, *known[name].keys],
                key=f"key-{name}",
                format_func=_usual,
            )
            if key != USUAL:
                keys[name] = key
    for view in core.VIEWS:
        able = [name for name in names if view in known[name].gives]
        if len(able) > 1:
            label = t("Who gives {view}", view=words.spoken(view))
            giver = st.selectbox(label, [USUAL, *able], key=f"take-{view}", format_func=_usual)
            if giver != USUAL:
                takes[view] = giver
    left, right = st.columns(2)
    values = {
        "phone_prefix": left.text_input(t("Prefix of national numbers"), key="phone-prefix", placeholder="+44"),
        "metadata_key": right.text_input(t("Stripe's metadata field with the CRM's key"), key="metadata-key",
                                         placeholder=sources.USUAL["metadata_key"]),
    }  # fmt: skip
    return Chosen(placed, keys, takes, {name: value.strip() for name, value in values.items() if value.strip()})


def _usual(one: str) -> str:
    return t("the usual") if one == USUAL else one


def _columns(found: list[Found]) -> bool:
    """What the tables lack, all at once; whether nothing."""
    heading(t("2 · Columns"), help=t("Read from the catalogue; no row is looked at."))
    for one in found:
        lacking = tn(len(one.wanting), "{n} thing lacking", "{n} things lacking") if one.wanting else t("all there")
        told = t(
            "{source} in {schema}: {n} columns needed, {lacking}.", source=one.source, schema=one.schema,
            n=one.columns, lacking=lacking,
        )  # fmt: skip
        st.caption(plain(told))
    wanting = [want for one in found for want in one.wanting]
    if not wanting:
        st.success(t("Every column is there, of a type that can be read."), icon=":material/check_circle:")
        return True
    frame = pd.DataFrame(
        [{"table": f"{want.schema}.{want.table}", "column": want.column or t("the whole table"), "needed": want.type,
          "found": want.found or t("missing")} for want in wanting]
    )  # fmt: skip
    show_table(
        frame, hide_index=True, alt=t("Columns a mapping needs and the tables lack"), column_config=heads(frame.columns)
    )
    for want in wanting:
        st.caption(plain(want.sentence))
    st.caption(t("SQL that mends all of it, for the owner of the tables; it is shown and never run:"))
    st.code("\n".join(want.mend for want in wanting), language="sql", wrap_lines=True)
    return False


def _review(chosen: Chosen, statement: str, mapping: Registered | None) -> None:
    heading(t("3 · Read it"), help=t("The mapping itself: a reviewed file of sql/sources with your schemas filled in."))
    with st.expander(t("The SQL")):
        st.code(statement, language="sql")
    if mapping is not None:
        who, digest = mapping.registered_by, mapping.sha256[:16]
        st.caption(plain(t("Registered on the host by {who}; sha256 {digest}…", who=who, digest=digest)))
        return
    st.info(
        t(
            "This page has no right to read these tables or to make views of them. Somebody who runs the host reads "
            "the SQL and registers exactly it; then it can be looked at and applied here."
        ), icon=":material/key:",
    )  # fmt: skip
    st.code(core.command_of(chosen, "register"), language="bash")


def _look(session: Session, mapping: Registered) -> None:
    heading(t("4 · Look at it"), help=t("Made in a transaction that is rolled back: nothing is changed."))
    if st.button(t("Preview"), icon=":material/visibility:", key="preview"):
        with st.spinner(t("Reading your tables …")):
            seen = sources.preview(session.database, session.me, mapping)
        audit.note_view(session.database, session.me, "saw", "sources", {"mapping": mapping.mapping_id})
        st.session_state["source-seen"] = (mapping.mapping_id, seen)
    held = st.session_state.get("source-seen")
    if held and held[0] == mapping.mapping_id:
        _seen(held[1])


def _seen(seen: Preview) -> None:
    for view, rows in seen.rows.items():
        count = seen.counts.get(view)
        name = words.spoken(view)
        many = tn(count or 0, "{view}: {n} row", "{view}: {n} rows", view=name)
        with st.expander(t("{view}: cannot be read", view=name) if count is None else many):
            if rows:
                show_table(pd.DataFrame(rows), hide_index=True, alt=t("Some rows of {view}, masked", view=name))
            st.caption(
                t(
                    "Up to {n} rows as the database gives them; of a name the initials, no number.",
                    n=sources.MOST_ROWS,
                )
            )
    for one in seen.left_out:
        st.warning(
            plain(
                t(
                    "Left out: {n} of kind {kind}, which {why}.", n=number(one["rows"]), kind=one["what"],
                    why=one["why"],
                )
            ), icon=":material/payments:",
        )  # fmt: skip
    mend = [problem for problem in seen.problems if not problem.is_optional]
    if not seen.problems:
        st.success(t("Every row keeps the data contract."), icon=":material/check_circle:")
    elif mend:
        st.error(
            tn(
                len(mend), "{n} breach of the data contract to mend.", "{n} breaches of the data contract to mend."
            ), icon=":material/build:",
        )  # fmt: skip
    for problem in seen.problems:
        said = mark("To know: {problem}") if problem.is_optional else mark("To mend: {problem}")
        with st.expander(t(said, problem=plain(problem.sentence))):
            st.caption(
                t("Change the file of sql/sources so, or run this once it is applied; it is shown and never run:")
            )
            st.code(f"SET search_path = crm;\n{problem.mend}", language="sql", wrap_lines=True)


def _apply(session: Session, mapping: Registered, moves: list[Move]) -> None:
    heading(t("5 · Apply"))
    if moves and moves[0].mapping_id == mapping.mapping_id:
        st.caption(t("This mapping is in force."))
        return
    st.caption(
        t(
            "From then on every page reads your own tables. One transaction, written down in the audit; it can be "
            "taken back. Views no source gives stay the feed's. Then: `python3 -m churn sync`, `train` and `score`."
        )
    )
    if (st.session_state.get("source-seen") or (None,))[0] != mapping.mapping_id:
        st.info(t("Look at it first."), icon=":material/arrow_upward:")
        return
    reason = st.text_input(t("Why"), key="why-apply", max_chars=300, placeholder=t("what speaks for it"))
    if st.button(tc("button", "Apply"), icon=":material/publish:", type="primary", key="apply"):
        done = t("In force: {what}.", what=mapping.title)
        _done(lambda: sources.apply(session.database, session.me, mapping, reason), done)


def _done(act: Callable[[], None], sentence: str) -> None:
    try:
        act()
    except (Refusal, NotMapped) as refusal:
        st.error(plain(str(refusal)), icon=":material/block:")
        return
    st.session_state["source-done"] = plain(sentence)
    st.rerun()


def _history(session: Session, moves: list[Move]) -> None:
    if not moves:
        return
    heading(t("What was in force"), help=t("Newest first."))
    zone = session.company.time_zone
    frame = pd.DataFrame(
        [{"when": words.moment(one.moved_at, zone), "by": one.moved_by, "what": one.title or t("the feed's own views"),
          "why": one.reason} for one in moves]
    )  # fmt: skip
    show_table(
        frame, hide_index=True, alt=t("Mappings by the time they were applied"), column_config=heads(frame.columns)
    )
