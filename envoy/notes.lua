-- The notes of a request, for later filters and for its response.

local notes = {}

-- The namespace of their metadata.
local OURS = "envoy.filters.http.lua"

function notes.set(handle, key, value)
  handle:streamInfo():dynamicMetadata():set(OURS, key, value)
end

-- Returns all notes of a request by their keys. Envoy copies them each time.
function notes.all(handle)
  return handle:streamInfo():dynamicMetadata():get(OURS) or {}
end

function notes.get(handle, key)
  return notes.all(handle)[key]
end

-- Refuses a request with 400. rest.lua makes the answer.
function notes.refuse(handle, field, problem)
  notes.set(handle, "field", field)
  handle:respond({[":status"] = "400"}, field .. ": " .. problem)
end

return notes
