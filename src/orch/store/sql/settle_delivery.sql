update deliveries set state = ?, error = ?, tries = tries + ? where source = ? and id = ?
