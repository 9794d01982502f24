-- Makes the bodies of errors: {"detail": TEXT, "error": TEXT, "details": [...]}. The public SDK reads
-- only `error`.

local explain = dofile(FOLDER .. "/explain.lua")
local text = dofile(FOLDER .. "/text.lua")

local errors = {}

errors.CLIENT_CLOSED_REQUEST = "499"
errors.TRY_AGAIN = "The service cannot answer at the moment. Try again."

-- The details of an INVALID_ARGUMENT, as the server has them.
local DETAILS = '[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"INVALID_ARGUMENT",'
  .. '"domain":"thequantcloud.com","metadata":{}},'
  .. '{"@type":"type.googleapis.com/google.rpc.BadRequest","field_violations":['
  .. '{"field":"%s","description":"%s","reason":"INVALID_ARGUMENT"}]}]'

-- Returns an error without `error`, from a sentence such as "FIELD: PROBLEM".
local function invalid_argument(sentence, field)
  local problem = sentence
  field = field or sentence:match("^([^:%s]+): ")
  if field then
    problem = sentence:sub(#field + 3)
  end
  local details = DETAILS:format(text.to_json(field or "request"), text.to_json(problem))
  return '{"detail":"' .. text.to_json(sentence) .. '","details":' .. details .. "}"
end

-- Returns an error without `error`, from the body that the server or Envoy sends. `field` is the field
-- that a filter refused.
local function error_body(body, status, field)
  -- The gRPC server's answer to the filter `admission`.
  local asked = body:match('^{"detail":"({\\"detail\\":.*})"}%s*$')
  if asked then
    return text.from_json(asked)
  end
  -- The gRPC server's error, as the transcoder prints it.
  local converted, count = body:gsub('^{"code":%d+,"message":', '{"detail":', 1)
  if count > 0 then
    return converted
  end
  local detail = body:match('^{"detail":"(.*)"}%s*$')
  if detail and status == "400" then
    local sentence = text.from_json(detail)
    return invalid_argument(field and sentence or explain(sentence), field)
  end
  return body
end

-- Returns the health answer of a service that cannot take jobs. It is the error that gives the cause,
-- plus the fields of a healthy answer, if the server sent them.
local function unhealthy(body)
  local fields = '{"status":"unhealthy",'
  for _, name in ipairs({"version", "timestamp"}) do
    local value = body:match('"' .. name .. '":"([^"]*)"')
    if value then
      fields = fields .. '"' .. name .. '":"' .. value .. '",'
    end
  end
  return fields .. body:sub(2)
end

function errors.set_body(handle, body, content)
  local length = body:setBytes(content)
  handle:headers():replace("content-length", tostring(length))
  handle:headers():replace("content-type", "application/json")
end

-- Sets the body of an error, and says its `detail` as `error` too.
function errors.set_error(handle, body, content, health)
  local at = content:match('^{"detail": ?"()')
  local closed = at and text.closing_quote(content, at)
  if closed then
    local detail, rest = content:sub(at, closed - 1), content:sub(closed + 1)
    if rest:sub(1, 9) ~= ',"error":' then
      content = '{"detail":"' .. detail .. '","error":"' .. detail .. '"' .. rest
    end
    if health then
      content = unhealthy(content)
    end
  end
  errors.set_body(handle, body, content)
end

-- Envoy's own answer to a HEAD has the length of a body that this filter would have changed.
function errors.say_no_length(handle)
  handle:headers():remove("content-length")
end

function errors.on_error(handle, status, grpc_message, health, field)
  -- Waits for the body. Objects that came from the handle before are invalid afterwards.
  local body = handle:body(grpc_message ~= nil)
  if not body then
    errors.say_no_length(handle)
    return
  end
  local old = body:length() > 0 and body:getBytes(0, body:length()) or ""
  if status == errors.CLIENT_CLOSED_REQUEST then
    errors.set_error(handle, body, '{"detail":"' .. errors.TRY_AGAIN .. '","details":[]}')
  elseif old == "" and grpc_message then
    -- The transcoder sends no body if its descriptor does not know a type of the details.
    local message = text.from_percent(grpc_message)
    errors.set_error(handle, body, '{"detail":"' .. text.to_json(message) .. '"}')
  elseif status == "429" and old:find('"message":"SERVER: Received message larger', 1, true) then
    handle:headers():replace(":status", "413")
    errors.set_error(handle, body, '{"detail":"body: is too large once it is decoded"}')
  else
    local content = text.without_secrets(error_body(old, status, field))
    errors.set_error(handle, body, content, health and status == "503")
  end
end

return errors
