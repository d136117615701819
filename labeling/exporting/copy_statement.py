"""The SQL that writes comparisons as JSON lines, layout by layout.

It says what datasets.py and layouts.py say in Python, to the byte; test_copy_is_plain.py holds the two together.
Everything that differs by request is a parameter or comes from a queryset's own SQL; the rest is text of this file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labeling.models import Project
from labeling.selecting import Selection


def _text(expression: str) -> str:
    """As JSON; NULL stays NULL."""
    return f"to_json({expression})::text"


def _or_null(expression: str) -> str:
    """As JSON; NULL and '' become null."""
    return f"coalesce(to_json(nullif({expression}, ''))::text, 'null')"


def _filled(name: str, expression: str) -> str:
    """A member, left out where there is nothing."""
    return f"CASE WHEN {expression} <> '' THEN ',\"{name}\":' || {_text(expression)} ELSE '' END"


OWN_ID = "coalesce(nullif({row}.external_id, ''), project.slug || '/{noun}/' || {row}.id)"
PROMPT_ID = _text(OWN_ID.format(row="p", noun="prompt"))
RESPONSE_ID = _text(OWN_ID.format(row="r", noun="response"))

CHAT = """(SELECT '[' || string_agg(
      '{"role":' || (m->'role')::text || ',"content":' || (m->'content')::text || '}', ',') || ']'
      FROM jsonb_array_elements(p.messages) m)"""

# A number that Python writes with an exponent is written by float8 in the same way, and by jsonb with zeros.
SETTING = """CASE WHEN jsonb_typeof(e.value) = 'number' AND e.value::text ~ '^-?0[.]0000'
        THEN e.value::text::float8::text ELSE e.value::text END"""
SAMPLING_ENTRIES = f"""coalesce((
      SELECT ',"sampling":{{' || string_agg({_text("e.key")} || ':' || {SETTING}, ',') || '}}'
      FROM jsonb_each(r.sampling) e WHERE jsonb_typeof(e.value) NOT IN ('array', 'object')), '')"""
# Settings that are plain words and numbers need no look at each: only the spaces between them go.
PLAIN_SETTINGS = '^[{](?:"[A-Za-z0-9_]+": (?:-?[0-9.]+|true|false|null)(?:, |[}]$))+$'
SAMPLING = f"""CASE WHEN r.sampling = '{{}}' THEN ''
      WHEN r.sampling::text ~ '{PLAIN_SETTINGS}' AND r.sampling::text !~ ': -?0[.]0000'
      THEN ',"sampling":' || replace(replace(r.sampling::text, '": ', '":'), ', "', ',"')
      ELSE {SAMPLING_ENTRIES} END"""

RECORD_PROMPT = " || ".join(
    [
        f"'{{\"id\":' || {PROMPT_ID} || ',\"messages\":' || {CHAT}",
        *(_filled(name, f"p.{name}") for name in ("use_case", "style", "origin", "group_key", "language", "consent")),
        _filled("split", "p.split"),
        "'}'",
    ]
)
TABLE_PROMPT = (
    f"'\"prompt_id\":' || {PROMPT_ID} || ',\"prompt\":' || {CHAT} || ',\"use_case\":' || {_text('p.use_case')}"
    f" || ',\"group_key\":' || {_text('p.group_key')} || ',\"language\":' || {_text('p.language')}"
    f" || ',\"split\":' || {_text('p.split')}"
)
RECORD_RESPONSE = " || ".join(
    [
        f"'{{\"id\":' || {RESPONSE_ID} || ',\"text\":' || {_text('r.text')}",
        _filled("generator", "gen.name"),
        _filled("labeler", "writer.pseudonym"),
        "CASE WHEN writer.source = 'simulated' THEN ',\"simulated\":true' ELSE '' END",
        _filled("finish_reason", "r.finish_reason"),
        "coalesce(',\"token_count\":' || r.token_count, '')",
        SAMPLING,
        "'}'",
    ]
)

SUBMITTED_AT = """to_char(s.submitted_at AT TIME ZONE 'UTC', CASE WHEN date_part('microseconds', s.submitted_at)::int
    % 1000000 = 0 THEN 'YYYY-MM-DD"T"HH24:MI:SS"Z"' ELSE 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' END)""".replace("%", "%%")
ASIDE = """CASE WHEN s.withdrawn_at IS NOT NULL THEN 'withdrawn' WHEN s.counted THEN ''
    WHEN EXISTS (SELECT 1 FROM labeling_adjudication decision WHERE decision.submission_id = s.id) THEN 'adjudication'
    ELSE 'surplus' END"""
CAMPAIGN = "CASE WHEN coalesce(kept.rule, '{}') = '{}' THEN campaign.name END"
RECORD_WHO = " || ".join(
    [
        f"',\"labeler\":' || {_text('l.pseudonym')}",
        "CASE WHEN l.source = 'simulated' THEN ',\"simulated\":true' ELSE '' END",
        f"CASE WHEN shown.k = 2 THEN {_filled('note', 's.note')} ELSE '' END",
        "CASE WHEN shown.k = 2 THEN coalesce(',\"active_ms\":' || s.active_ms, '') ELSE '' END",
        f"',\"submitted_at\":\"' || {SUBMITTED_AT} || '\"'",
        _filled("aside", f"({ASIDE})"),
    ]
)
TABLE_WHO = " || ".join(
    [
        f"',\"labeler\":' || {_text('l.pseudonym')} || ',\"simulated\":' || (l.source = 'simulated')::text",
        f"',\"submitted_at\":\"' || {SUBMITTED_AT} || '\"'",
        f"',\"aside\":' || {_or_null(f'({ASIDE})')} || ',\"campaign\":' || {_or_null(CAMPAIGN)}",
        "',\"guideline\":' || " + _text("g.kind || ' ' || g.version"),
    ]
)

ID = _text(
    "coalesce(own_id, ranking_id || ':' || pseudonym || ':' || (l - 1) || '-' || (r - 1))"
    " || CASE WHEN turn THEN ':turned' ELSE '' END"
)
FIRST = "CASE WHEN met_at[c] < met_at[d] THEN '\"chosen\"' ELSE '\"rejected\"' END"
RECORD_LINE = (
    f'\'{{"type":"comparison","id":\' || {ID} || \',"prompt":\' || prompt || \',"chosen":\' || one[c]'
    " || ',\"rejected\":' || one[d] || ',\"tie\":' || tie::text || who"
    f" || CASE WHEN met_at IS NULL THEN '' ELSE ',\"shown_first\":' || {FIRST} END"
    " || coalesce(',\"strength\":' || strength, '') || '}'"
)
TABLE_LINE = (
    f"'{{\"id\":' || {ID} || ',' || prompt || ',\"chosen_id\":' || ids[c] || ',\"chosen\":' || one[c]"
    " || ',\"chosen_generator\":' || generators[c] || ',\"chosen_labeler\":' || writers[c]"
    " || ',\"rejected_id\":' || ids[d] || ',\"rejected\":' || one[d] || ',\"rejected_generator\":' || generators[d]"
    " || ',\"rejected_labeler\":' || writers[d] || ',\"tie\":' || tie::text"
    " || ',\"margin_ranks\":' || ranks[d] - ranks[c] || ',\"margin_overall\":'"
    " || coalesce((overall[c] - overall[d])::text, 'null') || ',\"strength\":' || coalesce(strength::text, 'null')"
    f" || ',\"shown_first\":' || CASE WHEN met_at IS NULL THEN 'null' ELSE {FIRST} END || who || '}}'"
)
REPLY = '\'[{"role":"assistant","content":\' || one[%s] || \'}]\''
PREFERENCE_LINE = (
    f"'{{\"prompt\":' || prompt || ',\"chosen\":' || {REPLY % 'c'} || ',\"rejected\":' || {REPLY % 'd'}"
    " || {margin} || '}}'"
)
MARGINS = {
    "none": "''",
    "ranks": "',\"margin\":' || (ranks[d] - ranks[c]) || '.0'",
    "overall": "',\"margin\":' || coalesce((overall[c] - overall[d]) || '.0', 'null')",
    "strength": "',\"margin\":' || coalesce(strength || '.0', 'null')",
}
UNPAIRED_LINE = " || E'\\n' || ".join(
    f"'{{\"prompt\":' || prompt || ',\"completion\":' || {REPLY % which} || ',\"label\":{label}}}'"
    for which, label in (("c", "true"), ("d", "false"))
)
TEXTS = {"one": _text("r.text")}


@dataclass(frozen=True)
class _Parts:
    """SQL expressions. prompt: of p and project. arrays: of r, gen and writer, by name, one entry a response. who: of
    s, l, g, campaign, kept and shown, once a judgment. line: of all these and a pair (l, r; c chosen, d the other)."""

    prompt: str
    arrays: dict[str, str]
    who: str
    line: str


def _parts(layout: str, selection: Selection) -> _Parts:
    if layout == "records":
        return _Parts(RECORD_PROMPT, {"one": RECORD_RESPONSE}, RECORD_WHO, RECORD_LINE)
    if layout == "table":
        more = {
            "ids": RESPONSE_ID,
            "generators": _or_null("gen.name"),
            "writers": _or_null("writer.pseudonym"),
        }
        return _Parts(TABLE_PROMPT, TEXTS | more, TABLE_WHO, TABLE_LINE)
    if layout == "preference":
        line = PREFERENCE_LINE.replace("{margin}", MARGINS[selection.margin]).replace("'}}'", "'}'")
        return _Parts(CHAT, TEXTS, "''", line)
    return _Parts(CHAT, TEXTS, "''", UNPAIRED_LINE)


TIES = {"keep": "", "drop": " AND ranks[l] <> ranks[r]", "both": " AND (ranks[l] = ranks[r] OR NOT turn)"}


def comparisons(project: Project, layout: str, selection: Selection, said: Sequence[int]) -> tuple[str, list[Any]]:
    """Of the assignments with these ids: a row for each, its lines with their ends, in the order of tasks and
    assignments. Their number stands in the text, or the database would plan for a few and compare each with each."""
    parts = _parts(layout, selection)
    turns = "(VALUES (false), (true))" if selection.ties == "both" else "(VALUES (false))"
    arrays = ", ".join(f"array_agg({name}) AS {name}" for name in parts.arrays)
    pieces = ", ".join(f"{expression} AS {name}" for name, expression in parts.arrays.items())
    names = ", ".join(f"shown.{name}" for name in parts.arrays)
    return (
        f"""
WITH project AS (SELECT %s::text AS slug
), said AS MATERIALIZED (
  SELECT a.id, a.task_id, a.labeler_id, a.current_submission_id AS submission_id, a.order AS met
  FROM unnest(%s::bigint[]) asked(id)
  JOIN labeling_assignment a ON a.id = asked.id
), of_task AS MATERIALIZED (SELECT DISTINCT task_id FROM said
), prompted AS MATERIALIZED (
  SELECT t.id AS task_id, t.campaign_id, own.external_id AS own_id, {parts.prompt} AS prompt,
    coalesce(ranking.external_id, project.slug || '/task/' || t.id) AS ranking_id
  FROM of_task
  CROSS JOIN project
  JOIN labeling_task t ON t.id = of_task.task_id
  JOIN labeling_prompt p ON p.id = t.prompt_id
  LEFT JOIN labeling_importedrecord ranking ON ranking.task_id = t.id AND ranking.kind = 'ranking'
  LEFT JOIN labeling_importedrecord own ON own.task_id = t.id AND own.kind = 'comparison'
), shown AS MATERIALIZED (
  SELECT task_id, count(*)::int AS k, array_agg(response_id) AS responses, {arrays}
  FROM (
    SELECT tr.task_id, tr.response_id, {pieces}
    FROM of_task
    CROSS JOIN project
    JOIN labeling_taskresponse tr ON tr.task_id = of_task.task_id
    JOIN labeling_response r ON r.id = tr.response_id
    LEFT JOIN labeling_generator gen ON gen.id = r.generator_id
    LEFT JOIN labeling_labeler writer ON writer.id = r.labeler_id
    ORDER BY tr.task_id, tr.place
  ) placed
  GROUP BY task_id
), ranked AS MATERIALIZED (
  SELECT id, array_agg(rank) AS ranks, array_agg(overall) AS overall
  FROM (
    SELECT said.id, j.rank, (j.ratings->>'overall')::int AS overall
    FROM said
    JOIN labeling_taskresponse tr ON tr.task_id = said.task_id
    LEFT JOIN labeling_judgment j ON j.submission_id = said.submission_id AND j.response_id = tr.response_id
    ORDER BY said.id, tr.place
  ) placed
  GROUP BY id
), places AS MATERIALIZED (
  SELECT k, array_agg(l ORDER BY l, r) AS lefts, array_agg(r ORDER BY l, r) AS rights
  FROM (SELECT DISTINCT k FROM shown) ks, generate_series(1, k) l, generate_series(l + 1, k) r
  GROUP BY k
), judged AS MATERIALIZED (
  SELECT said.id, said.task_id, l.pseudonym, s.strength, prompted.own_id, prompted.ranking_id, prompted.prompt,
    {names}, ranked.ranks, ranked.overall, places.lefts, places.rights, {parts.who} AS who,
    CASE WHEN cardinality(met) = shown.k AND met @> shown.responses
      THEN ARRAY(SELECT array_position(met, response) FROM unnest(shown.responses) response) END AS met_at
  FROM (
    SELECT id, task_id, labeler_id, submission_id,
      string_to_array(btrim(said.met::text, '[]'), ', ')::bigint[] AS met FROM said OFFSET 0
  ) said
  JOIN labeling_submission s ON s.id = said.submission_id
  JOIN labeling_labeler l ON l.id = said.labeler_id
  JOIN labeling_guideline g ON g.id = s.guideline_id
  JOIN prompted ON prompted.task_id = said.task_id
  JOIN labeling_campaign campaign ON campaign.id = prompted.campaign_id
  LEFT JOIN labeling_cohort kept ON kept.id = campaign.cohort_id
  JOIN shown ON shown.task_id = said.task_id
  JOIN ranked ON ranked.id = said.id
  JOIN places ON places.k = shown.k
)
SELECT lines FROM (
  SELECT id, task_id, (
    SELECT string_agg({parts.line}, E'\\n') || E'\\n'
    FROM (
      SELECT l, r, turn, ranks[l] = ranks[r] AS tie,
        CASE WHEN (ranks[l] <= ranks[r]) <> turn THEN l ELSE r END AS c,
        CASE WHEN (ranks[l] <= ranks[r]) <> turn THEN r ELSE l END AS d
      FROM unnest(lefts, rights) AS pair(l, r) CROSS JOIN {turns} AS turned(turn)
      WHERE ranks[l] IS NOT NULL AND ranks[r] IS NOT NULL{TIES[selection.ties]}
    ) pairs
  ) AS lines
  FROM judged
  OFFSET 0  -- or the lines are made twice: once to look whether there are any
) written
WHERE lines IS NOT NULL
ORDER BY task_id, id""",
        [project.slug, list(said)],
    )
