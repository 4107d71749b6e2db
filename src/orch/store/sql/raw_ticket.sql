select raw from tickets where source = ? and source_id = ?;
