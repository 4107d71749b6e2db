select body from tickets where source_id = ? order by source;
