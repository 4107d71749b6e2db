update deliveries set body = null where body is not null and received_at < ? and state = 'done'
