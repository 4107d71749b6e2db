delete from deliveries where received_at < ? and state = 'done'
