-- Finds the RPC of a request.

local calls, patterns = {}, {}
for _, call in ipairs(CONTRACT.calls) do
  calls[call.route] = call
  if call.pattern then
    patterns[#patterns + 1] = call
  end
end

-- Returns what CONTRACT.calls has for a method and a path, or nil.
return function(method, path)
  local route = method .. " " .. path
  if calls[route] then
    return calls[route]
  end
  for _, call in ipairs(patterns) do
    if route:find(call.pattern) then
      return call
    end
  end
  return nil
end
