-- Returns the revision, or false if there is no record.
local found, trouble = revision()
if trouble then return trouble end
return found
