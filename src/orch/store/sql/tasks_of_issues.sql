select body from tasks where instr(issue, ':') > 0 or source like 'mention:%' order by id;
