--- What an engine says of a container that it made all the same: above all of limits that its
-- kernel cannot keep ("… Limitation discarded.", "… Memory limited without swap.").

local json = require "exhost.json"

local function is_limit(text)
  local lower = text:lower()
  return lower:find("discarded", 1, true) or lower:find("limited without", 1, true)
end

--- Tell of them in the story, the record (`info`) and, of limits, the result's evidence; these
--- are refused where the request or the settings are strict.
---@param execution exhost.Execution while it is started
---@param warnings any of the answer to create
---@return true? ok, string? err, string? code
return function(execution, warnings)
  local record, lost = execution.record, json.array {}
  for _, text in ipairs(type(warnings) == "table" and warnings or {}) do
    execution.event("warning", { message = text })
    record.warnings = record.warnings or json.array {}
    table.insert(record.warnings, "the engine: " .. text)
    if is_limit(text) then lost[#lost + 1] = text end
  end
  if #lost == 0 then return true end
  record.unenforced = record.unenforced or json.array {}
  for _, text in ipairs(lost) do table.insert(record.unenforced, text) end
  if (execution.request.enforce or execution.settings.enforce) ~= "strict" then return true end
  return nil, "limits cannot be enforced here (enforce is strict): " .. table.concat(lost, "; "),
    "unsupported"
end
