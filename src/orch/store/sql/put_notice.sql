update notifications set state = ?, due = ?, body = ? where hook = ? and event = ? and entity = ?
