insert into notifications (hook, event, entity, seq, state, due, body) values (?, ?, ?, ?, ?, ?, ?)
on conflict do nothing
