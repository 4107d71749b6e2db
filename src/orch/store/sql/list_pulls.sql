select body from pulls order by recorded_seq desc, number desc
