-- Checks a JSON body: waits for all of it, and refuses one with a wrong key.

local callers = dofile(FOLDER .. "/callers.lua")
local notes = dofile(FOLDER .. "/notes.lua")
local text = dofile(FOLDER .. "/text.lua")
local wrong_key = dofile(FOLDER .. "/keys.lua")

-- The trailer in which the filter `decompressor` counts what it unpacked.
local UNPACKED = "x-envoy-decompressor-gzip-uncompressed-bytes"

-- The transcoder does not report what it finds at the end of a body that has trailers. After so many
-- spaces, it has nothing left to find.
local SPACES = (" "):rep(16)

-- Whether gzip was unpacked to another size than its end says. The decompressor ends silently at an
-- error, and at data that is packed more than 256 times.
local function is_damaged(handle, trailers)
  local expected = notes.get(handle, "unpacked_bytes")
  return expected and not (trailers and tonumber(trailers:get(UNPACKED)) == expected)
end

-- Refuses a wrong body of a call. `is_plain` says that it cannot be gzip nor have trailers.
return function(handle, headers, call, is_plain)
  local caller = callers.read(headers, call)
  local body = handle:body()
  local trailers = not is_plain and handle:trailers()
  callers.note(handle, caller)
  if not is_plain and is_damaged(handle, trailers) then
    notes.refuse(handle, "body", "is not valid gzip, or unpacks to more than 256 times its size; "
      .. "send it without Content-Encoding")
  end
  local length = body and body:length() or 0
  if length == 0 then
    return
  end
  local json = body:getBytes(0, length)
  local field, problem, after = wrong_key(json, call.body)
  if trailers and not field then
    if not after or json:find("^%s*[^%s]", after) then
      field, problem = "body", "must be one JSON object that is complete"
    else
      body:setBytes(json .. SPACES)
    end
  end
  json = nil
  text.free(length)
  if field then
    notes.refuse(handle, field, problem)
  end
end
