insert into heard (source, remark, body) values (?, ?, ?) on conflict do nothing
