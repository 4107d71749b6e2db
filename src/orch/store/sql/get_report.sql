select body from reports where task = ?;
