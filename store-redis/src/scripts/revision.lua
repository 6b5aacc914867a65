-- Returns the revision, or false where there is no record.
local found, trouble = revision()
if trouble then return trouble end
return found
