select body from job_slots where job = ? and slot = ?
