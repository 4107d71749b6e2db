delete from tickets where source = ?;
