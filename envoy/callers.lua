-- Counts a request that Envoy refuses, as the server counts those that it refuses itself.

local callers = {}

-- The namespace of the metadata with the caller. It is long, and the other notes are read often.
local NAMESPACE = "caller"

-- The headers of the request that the server needs.
local NAMES = {
  "authorization", "x-api-key", "x-request-id", "x-watch-ticket", "last-event-id",
}

-- How long the server may take, in milliseconds.
local TIMEOUT_MS = 15000

-- A gRPC message without content, and the length of what precedes the content of each.
local EMPTY, PREFIX = "\0\0\0\0\0", 5

-- The start of an answer that Envoy made.
local OURS = '{"detail":'

-- The headers that the server's answer may have, for the client.
local SENT = {
  "retry-after", "www-authenticate", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
}

-- Returns the call and the caller of a request as a text, for `note`.
function callers.read(headers, call)
  local values = {call.rpc}
  for index, name in ipairs(NAMES) do
    values[index + 1] = headers:get(name) or ""
  end
  return table.concat(values, "\n")
end

-- Notes that the request has arrived whole. If it does not, Envoy's answer cannot wait for the server.
function callers.note(handle, caller)
  handle:streamInfo():dynamicMetadata():set(NAMESPACE, "headers", caller)
end

-- Counts the request of an answer with 400 that Envoy made. Sets the headers of the rate limit. Returns
-- the status and the body of the server's own refusal, if it refuses the request. The answer to a HEAD
-- has no body.
function callers.count(handle, head)
  local noted = handle:streamInfo():dynamicMetadata():get(NAMESPACE)
  if not noted then
    return nil
  end
  if not head then
    local refusal = handle:body(true) -- it cannot be read for the first time after a call
    if refusal:getBytes(0, math.min(refusal:length(), #OURS)) ~= OURS then
      return nil
    end
  end
  local values = {}
  for value in (noted.headers .. "\n"):gmatch("([^\n]*)\n") do
    values[#values + 1] = value
  end
  local address = handle:streamInfo():downstreamRemoteAddress():gsub(":%d+$", ""):gsub("[%[%]]", "")
  local request = {
    [":method"] = "POST",
    [":path"] = "/quantcloud.proxy.Refusals/Count",
    [":authority"] = "quantcloud",
    ["content-type"] = "application/grpc",
    ["te"] = "trailers",
    ["x-forwarded-for"] = address,
    ["x-quantcloud-proxy-secret"] = handle:filterContext():get("proxy_secret"),
    ["x-refused"] = values[1],
  }
  for index, name in ipairs(NAMES) do
    if values[index + 1] ~= "" then
      request[name] = values[index + 1]
    end
  end
  local answer, body = handle:httpCall("quantcloud", request, EMPTY, TIMEOUT_MS)
  local headers = handle:headers()
  for _, name in ipairs(SENT) do
    if answer[name] then
      headers:replace(name, answer[name])
    end
  end
  return answer["x-status"], body and body:sub(PREFIX + 1)
end

return callers
