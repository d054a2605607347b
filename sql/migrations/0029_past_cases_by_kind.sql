-- Past cases are looked for among those of the caller's own plan and segment first.

DROP INDEX desk.past_cases_near;
CREATE INDEX past_cases_kind ON desk.past_cases (plan, segment, contact_reason);
