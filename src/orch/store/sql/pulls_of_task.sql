select pulls.body from pulls join runs on runs.id = pulls.run
where runs.task = ?1 and ?1 <> 0 order by runs.n, pulls.recorded_seq
