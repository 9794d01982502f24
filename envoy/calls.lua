-- Finds the RPC of a request.

local calls = {}

local by_route, patterns = {}, {}
for _, call in ipairs(CONTRACT.calls) do
  by_route[call.route] = call
  if call.pattern then
    patterns[#patterns + 1] = call
  end
end

-- Returns what CONTRACT.calls has for a method and a path, or nil.
function calls.find(method, path)
  local route = method .. " " .. path
  if by_route[route] then
    return by_route[route]
  end
  for _, call in ipairs(patterns) do
    if route:find(call.pattern) then
      return call
    end
  end
  return nil
end

-- Returns the methods that a path takes, as in an Allow header: "" if there is no such path.
function calls.methods(path)
  local exact, matching = {}, {}
  for _, method in ipairs({"GET", "HEAD", "POST", "PUT", "DELETE"}) do
    local name = method == "HEAD" and "GET" or method
    if by_route[name .. " " .. path] then
      exact[#exact + 1] = method
    elseif calls.find(name, path) then
      matching[#matching + 1] = method
    end
  end
  return table.concat(#exact > 0 and exact or matching, ", ")
end

return calls
