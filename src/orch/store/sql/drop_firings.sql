delete from job_slots where job = ? and slot < ?
