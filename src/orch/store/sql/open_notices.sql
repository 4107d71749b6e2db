select body from notifications where state in ('waiting', 'sending') order by due, seq limit ?
