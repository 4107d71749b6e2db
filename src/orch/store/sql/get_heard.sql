select body, answered from heard where source = ? and remark = ?
