-- Names are found as people type them: O'Brien by "obrien", "brien" and "o brien", Weiß by "weiss", Þór by "thor".

CREATE OR REPLACE FUNCTION desk.fold(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN regexp_replace(
        replace(replace(replace(replace(
            translate(
                -- Out: marks within a word; accents; points of Hebrew and Arabic, and the stroke that lengthens Arabic.
                lower(regexp_replace(normalize(regexp_replace(name, '[''’‘ʼ`´]', '', 'g'), NFKD),
                                     '[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0640]', '', 'g')),
                'øłđðħŧı', 'olddhti'),
            'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'þ', 'th'),
        '[^[:alnum:]]+', ' ', 'g');

-- The words a name is found by. A mark within a word joins it and parts it: D'Angelo is dangelo, and d angelo.
CREATE FUNCTION desk.name_words(name text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN to_tsvector('simple', desk.fold(name) || ' ' || desk.fold(regexp_replace(name, '[''’‘ʼ`´]', ' ', 'g')));
