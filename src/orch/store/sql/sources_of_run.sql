select s.module, s.filename, s.text, s.digest
from run_sources r join sources s using (digest, module, filename)
where r.run = ? order by r.position
