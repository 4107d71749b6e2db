insert into job_slots (job, slot, body) values (?, ?, ?)
  on conflict (job, slot) do update set body = excluded.body
