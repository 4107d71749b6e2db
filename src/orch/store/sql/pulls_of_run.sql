select body from pulls where run = ? order by recorded_seq
