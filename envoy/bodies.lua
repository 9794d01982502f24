-- Checks the JSON bodies that rest.lua leaves: the server must admit those before Envoy keeps them.

local calls = dofile(FOLDER .. "/calls.lua")
local check_body = dofile(FOLDER .. "/check_body.lua")

function envoy_on_request(handle)
  local headers = handle:headers()
  local call = calls.find(headers:get(":method"), headers:get(":path"):match("^[^?]*"))
  if call and call.body then
    check_body(handle, headers, call)
  end
end
