-- Adds what Envoy's gRPC-JSON transcoder, which runs after this filter, cannot do for REST: statuses
-- of success other than 200, errors as {"detail": ...}, readable sentences for requests that do not
-- match the contract, and HTTP headers instead of gRPC headers.
-- Valid gRPC and gRPC-Web calls pass unchanged.

-- The words of each enum that a request may contain. A test compares them with the contract.
local ENUMS = {
  ["thequantcloud.v1.Job.Status"] =
    "submitted, analyzing, routing, queued, dispatched, running, completed, failed, timeout, cancelled",
  ["thequantcloud.v1.Optimization.Target"] = "balanced, speed, accuracy, cost",
}

-- The query parameters of each request. A test compares them with the contract.
local QUERY_PARAMETERS = {
  ["thequantcloud.v1.GetJobRequest"] = "wait_seconds",
  ["thequantcloud.v1.ListCircuitsRequest"] = "page_token, limit, offset",
  ["thequantcloud.v1.ListJobsRequest"] =
    "page_token, limit, offset, status, status_filter, backend, tag, name_prefix, submitted_after, submitted_before",
  ["thequantcloud.v1.WatchJobRequest"] = "after_sequence, with_result",
  ["thequantcloud.v1.WatchJobsRequest"] = "after_cursor, status, with_result, batch_id",
}

-- How an error describes a value of each type.
local TYPES = {
  BOOL = "true or false",
  DOUBLE = "a number",
  INT32 = "an integer",
  STRING = "a string",
}

-- The methods whose requests have a body.
local WITH_BODY = {POST = true, PUT = true}

local SECURITY_HEADERS = {
  ["cache-control"] = "no-store",
  ["content-security-policy"] = "default-src 'none'; frame-ancestors 'none'",
  ["referrer-policy"] = "no-referrer",
  ["x-content-type-options"] = "nosniff",
}

local GRPC_HEADERS = {
  "grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-encoding", "grpc-accept-encoding",
}

-- API keys and JWTs that a client put into a wrong place. They are not forwarded, logged or shown.
-- `serve` masks the same patterns in its log.
local SECRETS = {
  ["qc_live_[%w_%-]+"] = "qc_live_...",
  ["eyJ[%w_%-]+%.[%w_%-]+%.?[%w_%-]*"] = "eyJ...",
}

-- The base path of QuantStudio. A route matches with it and without it.
local STUDIO = "/studio"

-- The start and the end of a list's envelope, without the list, are shorter than this, in bytes.
local ENVELOPE = 512

-- An answer whose copy in Lua is not left to its own collection of garbage, in bytes.
local LARGE = 1024 * 1024

-- The longest piece of a request that an error shows, in bytes.
local SHOWN = 60

-- The metadata namespace where the filter notes what it must know of a request at its response.
local ITSELF = "envoy.filters.http.lua"

-- The header that takes a watch ticket to the server. Only this filter sets it.
local TICKET = "x-watch-ticket"

-- The encodings that a call may use.
local ENCODINGS = {identity = true, deflate = true, gzip = true}

-- The gRPC status for messages of Envoy that have none: RESOURCE_EXHAUSTED and DEADLINE_EXCEEDED
-- instead of UNKNOWN.
local UNKNOWN, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED = "2", "3", "8", "12"
local STATUSES = {["The message is too large."] = "8", ["request timeout"] = "4"}

-- A client that cancels reads no answer. So if a client can read CANCELLED, the server sent it: the
-- server was stopped, or had too many calls. The client gets UNAVAILABLE instead.
local CANCELLED, UNAVAILABLE, CLIENT_CLOSED_REQUEST = "1", "14", "499"
local TRY_AGAIN = "The service cannot answer at the moment. Try again."

-- Text ---------------------------------------------------------------------------------------

local function utf8(code)
  if code < 0x80 then
    return string.char(code)
  elseif code < 0x800 then
    return string.char(0xC0 + math.floor(code / 0x40), 0x80 + code % 0x40)
  end
  return string.char(
    0xE0 + math.floor(code / 0x1000),
    0x80 + math.floor(code / 0x40) % 0x40,
    0x80 + code % 0x40
  )
end

local ESCAPES = {b = "\b", f = "\f", n = "\n", r = "\r", t = "\t"}

-- Returns the text of a JSON string that is given without its quotes.
local function from_json(escaped)
  local parts, from = {}, 1
  while true do
    local at = escaped:find("\\", from, true)
    if not at then
      break
    end
    parts[#parts + 1] = escaped:sub(from, at - 1)
    local letter = escaped:sub(at + 1, at + 1)
    if letter == "u" then
      local code = tonumber(escaped:sub(at + 2, at + 5), 16) or 0xFFFD
      -- Half of a surrogate pair is not a character.
      parts[#parts + 1] = utf8((code >= 0xD800 and code <= 0xDFFF) and 0xFFFD or code)
      from = at + 6
    else
      parts[#parts + 1] = ESCAPES[letter] or letter
      from = at + 2
    end
  end
  parts[#parts + 1] = escaped:sub(from)
  return table.concat(parts)
end

local function to_json(text)
  return (text:gsub('[%c"\\]', function(c)
    return (c == '"' or c == "\\") and "\\" .. c or string.format("\\u%04x", c:byte())
  end))
end

-- Returns the JSON string that begins at the quote at `from`, with both quotes.
local function json_string(text, from)
  local _, at = text:find('^"[^"\\]*', from)
  while at and text:sub(at + 1, at + 1) == "\\" do
    _, at = text:find('^\\.[^"\\]*', at + 1)
  end
  return at and text:sub(from, at + 1)
end

-- Returns the text, cut between two characters if it is long.
local function shorten(text)
  if #text <= SHOWN then
    return text
  end
  return text:sub(1, SHOWN):gsub("[\192-\255][\128-\191]*$", "") .. "..."
end

local function without_secrets(text)
  for secret, shown in pairs(SECRETS) do
    text = text:gsub(secret, shown)
  end
  return text
end

local function uncapitalised(text)
  return (text:gsub("^%u", string.lower):gsub("%.$", ""))
end

-- Errors -------------------------------------------------------------------------------------

-- Explains a wrong value, from the transcoder's "FIELD: invalid value VALUE for type TYPE".
local function wrong_value(field, value, kind)
  local message = kind:match("^type%.googleapis%.com/(.+)$")
  if field == "" then
    local twice = value:match("^oneof field '_.-' is already set%. Cannot set '(.-)'$")
    if twice then
      return twice .. ": is given more than once"
    elseif value == "Starting an object on a scalar field" then
      return kind .. ": must be a single value, got an object"
    end
    return nil
  end
  if message == "google.protobuf.Timestamp" then
    return field .. ": must be a time, such as 2025-03-31T12:00:00Z"
  end
  local right = TYPES[kind:match("^TYPE_(%w+)$") or ""]
  if not right and ENUMS[message] then
    right = "one of " .. ENUMS[message]
  elseif not right and message then
    right = "an object"
  elseif kind == "TYPE_INT32" and (value:find('^"?-?%d+"?$') or value:find("^-?[%d.]+e%+%d+$")) then
    right = "an integer from -2147483648 to 2147483647"
  end
  return right and string.format("%s: must be %s, got %s", field, right, shorten(value))
end

-- Explains invalid JSON, from the transcoder's three lines: the error, the text around it, and a mark
-- below the position.
local function wrong_json(text)
  local problem, around, mark = text:match("^([^\n]+)\n(.*)\n( *)%^$")
  if not problem then
    return nil
  end
  local near = around:sub(#mark + 1):match("^%s*(.-)%s*$")
  return string.format(
    "body: is not valid JSON %s: %s",
    near == "" and "at its end" or "near " .. shorten(near),
    uncapitalised(problem)
  )
end

-- Explains why the transcoder refused a request: a sentence with the field and what would be right.
local function explain(text)
  if text == "" or text == "Bad Request" then
    return "This is not a valid HTTP request."
  end
  local field, value, kind = text:match("^(.-): invalid value (.*) for type (%S+)$")
  if field then
    return wrong_value(field, value, kind) or text
  end
  local parameter, message = text:match('^Could not find field "(.-)" in the type "(.-)"')
  if parameter then
    local known = QUERY_PARAMETERS[message]
    return string.format(
      "query: unknown parameter '%s'; %s",
      shorten(parameter),
      known and "there are " .. known or "there are none here"
    )
  end
  parameter = text:match('^Encountered a non%-leaf field "(.-)"')
  if parameter then
    return string.format("query: parameter '%s' has no parts", shorten(parameter))
  elseif text == ": Root element must be a message." then
    return "body: must be a JSON object"
  elseif text == ": Proto field is not repeating, cannot start list." then
    return "body: has a list where none belongs; 'circuits' and 'tags' are lists, and there may be some inside 'options' and 'metadata'"
  elseif text == ": Proto fields must have a name." then
    return "body: has a field with an empty name"
  elseif text:find("^Message too deep") then
    return "body: is nested too deeply"
  end
  return wrong_json(text) or text
end

-- Returns the body of an error as the server or Envoy sends it: {"detail": TEXT, "details": [...]}.
local function error_body(body, status)
  -- The gRPC server's answer to the filter `admission`.
  local asked = body:match('^{"detail":"({\\"detail\\":.*})"}%s*$')
  if asked then
    return from_json(asked)
  end
  -- The gRPC server's error, as the transcoder prints it.
  local converted, count = body:gsub('^{"code":%d+,"message":', '{"detail":', 1)
  if count > 0 then
    return converted
  end
  local detail = body:match('^{"detail":"(.*)"}%s*$')
  if detail and status == "400" then
    return '{"detail":"' .. to_json(explain(from_json(detail))) .. '"}'
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

local function set_body(handle, body, text)
  local length = body:setBytes(text)
  handle:headers():replace("content-length", tostring(length))
  handle:headers():replace("content-type", "application/json")
end

-- Sets the body of an error, and says its `detail` as `error` too: the public SDK reads only that.
local function set_error(handle, body, text, health)
  local at = text:match('^{"detail": ?()')
  local detail = at and json_string(text, at)
  if detail then
    local rest = text:sub(at + #detail)
    if rest:sub(1, 9) ~= ',"error":' then
      text = '{"detail":' .. detail .. ',"error":' .. detail .. rest
    end
    if health then
      text = unhealthy(text)
    end
  end
  set_body(handle, body, text)
end

local function on_error(handle, status, grpc_message, health)
  -- Waits for the body. Objects that came from the handle before are invalid afterwards.
  local body = handle:body(grpc_message ~= nil)
  if not body then
    return -- the answer to a HEAD
  end
  local old = body:length() > 0 and body:getBytes(0, body:length()) or ""
  if status == CLIENT_CLOSED_REQUEST then
    set_error(handle, body, '{"detail":"' .. TRY_AGAIN .. '","details":[]}')
  elseif old == "" and grpc_message then
    -- The transcoder sends no body if its descriptor does not know a type of the details.
    local message = grpc_message:gsub("%%(%x%x)", function(hex)
      return string.char(tonumber(hex, 16))
    end)
    set_error(handle, body, '{"detail":"' .. to_json(message) .. '"}')
  elseif status == "429" and old:find('"message":"SERVER: Received message larger', 1, true) then
    handle:headers():replace(":status", "413")
    set_error(handle, body, '{"detail":"body: is too large once it is decoded"}')
  else
    local text = without_secrets(error_body(old, status))
    set_error(handle, body, text, health and status == "503")
  end
end

-- QuantStudio --------------------------------------------------------------------------------

-- Replaces an envelope such as {"jobs":[...],"count":1} by its list. Besides the list, an envelope
-- has only numbers and cursors. So its first and its last bracket are those of the list.
local function unwrap_list(handle, name)
  local body = handle:body(true)
  local length = body:length()
  local shown = math.min(length, ENVELOPE)
  local first = body:getBytes(0, shown):match('^{[^%[]*"' .. name .. '":()%[')
  local rest = body:getBytes(length - shown, shown):match("^.*%](.*)$")
  if first and rest and rest:find("^[^{}]*}$") then
    set_body(handle, body, body:getBytes(first - 1, length - #rest - first + 1))
  end
  if length > LARGE then
    collectgarbage() -- Lua would keep the copy until it has made as much again
  end
end

local function say_ok(handle)
  local body = handle:body(true)
  local text = body:getBytes(0, body:length()):gsub('^{"status":"healthy"', '{"status":"ok"')
  set_body(handle, body, text)
end

-- Server-sent events -------------------------------------------------------------------------

-- Adds to each event the id after which a watch resumes: its sequence, or its cursor. Both are first
-- in their message. An error has neither, so a client keeps the id of the event before it.
local function with_ids(events)
  local parts, from = {}, 1
  while from <= #events do
    local _, last = events:find("\n\n", from, true)
    local id = events:match('^data: {"sequence":([1-9]%d*)', from)
      or events:match('^data: {"cursor":"([^"]+)"', from)
    if id then
      parts[#parts + 1] = "id: " .. id .. "\n"
    end
    parts[#parts + 1] = events:sub(from, last)
    from = last + 1
  end
  return table.concat(parts)
end

-- Adds ids to the events of a stream as they come. An event passes when it is complete.
local function add_ids(handle)
  local rest = ""
  for chunk in handle:bodyChunks() do
    local length = chunk:length()
    if length > 0 then
      local text = rest .. chunk:getBytes(0, length)
      local complete = text:sub(-2) == "\n\n" and text or text:match("^.*\n\n") or ""
      rest = text:sub(#complete + 1)
      chunk:setBytes(with_ids(complete))
      if length > LARGE then
        text, complete = nil, nil
        collectgarbage() -- Lua would keep the copies until it has made as much again
      end
    end
  end
end

-- Filter -------------------------------------------------------------------------------------

local function note(handle, key, value)
  handle:streamInfo():dynamicMetadata():set(ITSELF, key, value)
end

local function noted(handle, key)
  local notes = handle:streamInfo():dynamicMetadata():get(ITSELF)
  return notes and notes[key]
end

-- Refuses a request whose content type or encoding is not supported, with an HTTP status for gRPC too.
local function refuse_content(handle, text)
  note(handle, "unreadable", text)
  handle:respond({[":status"] = "415"}, text)
end

-- Refuses a call with a gRPC status.
local function refuse_call(handle, status, text)
  note(handle, "grpc_status", status)
  handle:respond({[":status"] = "400"}, text)
end

local function media_type(headers)
  return (headers:get("content-type") or ""):lower():match("^%s*([^;%s]*)")
end

-- Whether the headers exceed `kib`, counted as in HTTP/2: RFC 9113, section 6.5.2.
local function too_large(headers, kib)
  local left = (kib or 0) * 1024
  for name, value in pairs(headers) do
    left = left - #name - #value - 32
  end
  return kib and left < 0
end

-- Refuses calls that the server would abort without a message.
local function check_call(handle, headers)
  local kind, encoding = media_type(headers), headers:get("grpc-encoding")
  local timeout = headers:get("grpc-timeout")
  if headers:get(":method") ~= "POST" then
    refuse_call(handle, UNIMPLEMENTED, "A call is a POST request.")
  elseif kind ~= "application/grpc" and kind ~= "application/grpc+proto" then
    refuse_content(handle, "Content-Type: must be application/grpc here, with messages of protobuf.")
  elseif headers:get("content-encoding") then
    refuse_call(handle, INVALID_ARGUMENT, "Content-Encoding: messages are compressed by grpc-encoding.")
  elseif encoding and not ENCODINGS[encoding] then
    refuse_call(handle, UNIMPLEMENTED, "grpc-encoding: must be identity, deflate or gzip.")
  elseif timeout and (#timeout > 9 or not timeout:find("^%d+[HMSmun]$")) then
    refuse_call(handle, INVALID_ARGUMENT,
      "grpc-timeout: must be up to 8 digits and a unit, such as 500m for 500 ms.")
  elseif not headers:get("te") then
    headers:add("te", "trailers") -- the server requires it, and HTTP/1.1 clients may omit it
  end
end

-- Refuses a body that is not JSON. A body without a content type counts as JSON.
local function check_body(handle, headers)
  local kind = media_type(headers)
  if kind:find("application/grpc", 1, true) == 1 then
    refuse_content(handle, "There is no gRPC at this path: it takes JSON, as Content-Type: application/json.")
  elseif headers:get("content-length") == "0" or not WITH_BODY[headers:get(":method")] then
    return
  elseif kind ~= "" and kind ~= "application/json" then
    refuse_content(handle, "Content-Type: must be application/json, got " .. shorten(kind) .. ".")
  elseif (headers:get("content-encoding") or "identity") ~= "identity" then
    refuse_content(handle, "Content-Encoding: is not supported; send the body as it is.")
  end
end

-- Marks a body that Envoy may buffer before the server checks the credentials. `admission` in
-- envoy.yaml reads the mark. An HTTP/1.1 connection has one request at a time, so such bodies are few.
local function mark_short_body(handle, headers)
  local length = headers:get("content-length") or ""
  headers:remove("x-short-body")
  if length:find("^%d%d?%d?%d?$") and handle:streamInfo():protocol() ~= "HTTP/2" then
    headers:add("x-short-body", "yes")
  end
end

-- Moves a watch ticket from the query to a header. So neither the transcoder, which notes the query,
-- nor a log has it.
local function move_ticket(headers)
  headers:remove(TICKET)
  local path, query = (headers:get(":path") or ""):match("^([^?]*)%?(.*)$")
  if not query or not query:find("ticket=", 1, true) then
    return
  end
  local tickets, others = {}, {}
  for parameter in query:gmatch("[^&]+") do
    local ticket = parameter:match("^ticket=(.*)$")
    table.insert(ticket and tickets or others, ticket or parameter)
  end
  if #tickets > 0 then
    headers:replace(":path", path .. (#others > 0 and "?" or "") .. table.concat(others, "&"))
    -- Two tickets are none.
    headers:add(TICKET, (table.concat(tickets, "&"):gsub("[^%w._-]", "?")))
  end
end

function envoy_on_request(handle)
  move_ticket(handle:headers())
  local path = handle:headers():get(":path") or ""
  local masked = without_secrets(path)
  if masked ~= path then
    handle:headers():replace(":path", masked)
  end
  -- For the access log, which cannot name the path after the transcoder has changed it.
  note(handle, "path", (masked:gsub("?.*", "")))
  local route = handle:metadata()
  local allow = route:get("allow")
  if not allow and masked:find(STUDIO .. "/", 1, true) == 1 then
    note(handle, "studio", true)
    handle:headers():replace(":path", masked:sub(#STUDIO + 1))
  end
  local kib = handle:filterContext():get("max_header_kib")
  if too_large(handle:headers(), kib) then
    note(handle, "grpc_status", RESOURCE_EXHAUSTED)
    handle:respond({[":status"] = "431"}, string.format(
      "The metadata is too large: it may have %d KiB in all, with 32 bytes more for each.", kib))
  elseif allow == "" then
    handle:respond({[":status"] = "404"}, "")
  elseif allow then
    handle:respond({[":status"] = "405", ["allow"] = allow}, "")
  elseif route:get("takes") == "gRPC" then
    check_call(handle, handle:headers())
  elseif route:get("head") then
    handle:headers():replace(":method", "GET")
    handle:headers():add("x-envoy-original-method", "HEAD") -- for the access log
    -- The new method changes the route, so the response cannot read `head` from the route.
    note(handle, "head", true)
  else
    mark_short_body(handle, handle:headers())
    check_body(handle, handle:headers())
  end
end

-- Removes the body of an answer to HEAD. Its headers stay those of the answer to GET.
local function without_body(handle)
  local length = handle:headers():get("content-length")
  local body = handle:body(true)
  if body then
    body:setBytes("")
    if length then
      handle:headers():replace("content-length", length)
    else
      handle:headers():remove("content-length")
    end
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local status = headers:get(":status")
  local content_type = headers:get("content-type") or ""
  -- A gRPC answer has its status in the trailers. A status in the headers belongs to an error that the
  -- transcoder could not print.
  local unreadable = noted(handle, "unreadable")
  if unreadable then
    status = "415"
    headers:replace(":status", status)
  elseif status == "200" and content_type:find("application/grpc", 1, true) == 1 then
    local right = STATUSES[headers:get("grpc-message") or ""]
    if right and headers:get("grpc-status") == UNKNOWN then
      headers:replace("grpc-status", right)
    elseif headers:get("grpc-status") == CANCELLED then
      headers:replace("grpc-status", UNAVAILABLE)
      headers:replace("grpc-message", TRY_AGAIN)
      headers:replace("retry-after", "1")
    elseif noted(handle, "grpc_status") then
      headers:replace("grpc-status", noted(handle, "grpc_status"))
    end
    return
  end
  for name, value in pairs(SECURITY_HEADERS) do
    if not headers:get(name) then
      headers:add(name, value)
    end
  end
  local grpc_status, grpc_message = headers:get("grpc-status"), headers:get("grpc-message")
  for _, name in ipairs(GRPC_HEADERS) do
    headers:remove(name)
  end
  local health = handle:metadata():get("health")
  if health and status == "504" then
    status = "503"
    headers:replace(":status", status)
  end
  if status >= "400" then
    if status == "401" and not headers:get("www-authenticate") then
      headers:add("www-authenticate", 'Bearer realm="thequantcloud"')
    elseif status == "503" and not headers:get("retry-after") then
      headers:add("retry-after", "1")
    elseif status == CLIENT_CLOSED_REQUEST then
      headers:replace(":status", "503")
      headers:replace("retry-after", "1")
    end
    if unreadable then
      set_error(handle, handle:body(true), '{"detail":"' .. to_json(unreadable) .. '"}')
    else
      on_error(handle, status, grpc_message, health)
    end
    if noted(handle, "head") then
      without_body(handle)
    end
  elseif status == "200" then
    local success = handle:metadata():get("success_status")
    if success then
      headers:replace(":status", success)
    end
    if content_type == "text/event-stream" and grpc_status then
      -- The call has ended, so no event follows. An `EventSource` would connect again after 200.
      headers:replace(":status", "204")
      headers:remove("content-type")
      headers:remove("content-length")
    elseif content_type == "text/event-stream" then
      headers:add("x-accel-buffering", "no") -- for an nginx in front
      return add_ids(handle)
    end
    local list = handle:metadata():get("list")
    if list and noted(handle, "studio") then
      unwrap_list(handle, list)
    elseif health and noted(handle, "studio") then
      say_ok(handle)
    end
    if noted(handle, "head") then
      without_body(handle)
    end
  end
end
