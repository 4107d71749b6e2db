select body from pulls where repo = ? and number = ?
