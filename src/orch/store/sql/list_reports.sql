select body from reports order by task;
