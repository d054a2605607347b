-- What an operator watches is asked for every few seconds: the last hour of two tables that only grow.

SET LOCAL ROLE keepline_owner;
CREATE INDEX ledger_time ON desk.ledger USING brin (recorded_at);
CREATE INDEX refusals_time ON desk.refusals USING brin (refused_at);
RESET ROLE;
