update heard set answered = 1 where source = ? and remark = ?
