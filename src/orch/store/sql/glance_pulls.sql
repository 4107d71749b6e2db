select repo, number from pulls order by recorded_seq desc limit 100
