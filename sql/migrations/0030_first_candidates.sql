-- The first of the queue, as desk.my_callers asks for them with every read of a card: in the order of an index, not by
-- sorting all of the queue. It serves the queue of one kind, by gain, as the one before did.

DROP INDEX desk.callback_candidates_gain;
CREATE INDEX callback_candidates_first ON desk.callback_candidates (is_shown DESC, gain DESC);
