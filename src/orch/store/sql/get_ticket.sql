select body from tickets where source = ? and source_id = ?;
