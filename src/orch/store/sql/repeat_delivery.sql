update deliveries set state = 'new', error = '', tries = 0 where source = ? and id = ?
