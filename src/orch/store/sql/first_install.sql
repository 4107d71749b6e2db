insert or ignore into meta (key, value) values ('install', ?)
