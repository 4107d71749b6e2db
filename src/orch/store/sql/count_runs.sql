select status, count(*) from runs group by status order by status
