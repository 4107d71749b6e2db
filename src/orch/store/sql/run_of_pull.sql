select run from pulls where repo = ? and number = ?
