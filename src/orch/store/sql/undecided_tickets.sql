select body from tickets where source = ? and decided <> stamp order by number, source_id limit ?;
