-- Checks the JSON bodies that rest.lua leaves: the server must admit those before Envoy keeps them.

local check_body = dofile(FOLDER .. "/check_body.lua")
local find_call = dofile(FOLDER .. "/calls.lua")

function envoy_on_request(handle)
  local headers = handle:headers()
  local call = find_call(headers:get(":method"), headers:get(":path"):match("^[^?]*"))
  if call and call.body then
    check_body(handle, headers, call.body)
  end
end
