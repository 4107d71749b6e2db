select state, count(*) from tasks group by state
