select run, path, kind, status, attempt, looks, request, outcome, answer, planned_seq,
  settled_seq, planned_at, intended_at, settled_at
from steps where run = ? and kind = 'Gate/1' and status in ('planned', 'intended') order by planned_seq
