select body from job_slots where ? in ('', job) order by slot desc, job limit ?
