-- Adds what Envoy's gRPC-JSON transcoder, which runs after this filter, cannot do for REST: statuses
-- of success other than 200, errors as {"detail": ...}, readable sentences for requests that do not
-- match the contract, and HTTP headers instead of gRPC headers.
-- Valid gRPC and gRPC-Web calls pass unchanged.

-- For a short request, entering compiled code takes longer than it saves. bodies.lua, which reads the
-- long bodies, is a program apart and stays compiled.
jit.off()

local callers = dofile(FOLDER .. "/callers.lua")
local calls = dofile(FOLDER .. "/calls.lua")
local check_body = dofile(FOLDER .. "/check_body.lua")
local errors = dofile(FOLDER .. "/errors.lua")
local instead = dofile(FOLDER .. "/instead.lua")
local notes = dofile(FOLDER .. "/notes.lua")
local text = dofile(FOLDER .. "/text.lua")

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

-- The base path of QuantStudio. A route matches with it and without it.
local STUDIO = "/studio"

-- The start and the end of a list's envelope, without the list, are shorter than this, in bytes.
local ENVELOPE = 512

-- The least length of an answer that the filter `compressor` packs, in bytes.
local PACKED = 1024

-- The header that takes a watch ticket to the server. Only this filter sets it.
local TICKET = "x-watch-ticket"

-- The header of a request that has no long body to wait for. The filters `admission` and `bodies` skip
-- it. Only this filter sets it.
local NO_LONG_BODY = "x-no-long-body"

-- The encodings that a call may use.
local ENCODINGS = {identity = true, deflate = true, gzip = true}

-- The gRPC status for messages of Envoy that have none: RESOURCE_EXHAUSTED and DEADLINE_EXCEEDED
-- instead of UNKNOWN.
local UNKNOWN, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED = "2", "3", "8", "12"
local STATUSES = {["The message is too large."] = "8", ["request timeout"] = "4"}

-- A client that cancels reads no answer. So if a client can read CANCELLED, the server sent it: the
-- server was stopped, or had too many calls. The client gets UNAVAILABLE instead.
local CANCELLED, UNAVAILABLE = "1", "14"

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
    errors.set_body(handle, body, body:getBytes(first - 1, length - #rest - first + 1))
  end
  text.free(length)
end

local function say_ok(handle)
  local body = handle:body(true)
  local healthy = body:getBytes(0, body:length())
  errors.set_body(handle, body, (healthy:gsub('^{"status":"healthy"', '{"status":"ok"')))
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
      local events = rest .. chunk:getBytes(0, length)
      local complete = events:sub(-2) == "\n\n" and events or events:match("^.*\n\n") or ""
      rest = events:sub(#complete + 1)
      chunk:setBytes(with_ids(complete))
      events, complete = nil, nil
      text.free(length)
    end
  end
end

-- Filter -------------------------------------------------------------------------------------

-- Refuses a request whose content type or encoding is not supported, with an HTTP status for gRPC too.
local function refuse_content(handle, sentence)
  notes.set(handle, "unreadable", sentence)
  handle:respond({[":status"] = "415", ["accept-encoding"] = "gzip"}, sentence)
end

-- Refuses a call with a gRPC status.
local function refuse_call(handle, status, sentence)
  notes.set(handle, "grpc_status", status)
  handle:respond({[":status"] = "400"}, sentence)
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

-- Refuses a query with a parameter that the call does not have. The transcoder ignores those of a call
-- with a body, and those without a value.
local function check_query(handle, headers, call, query)
  callers.note(handle, callers.read(headers, call))
  for parameter in query:gmatch("[^&]+") do
    local name, equals, value = parameter:match("^([^=]*)(=?)(.*)$")
    local decoded = text.from_percent(name)
    local shown = text.shorten((name:gsub("[^\32-\126]", "?")))
    if name == "" then
      notes.refuse(handle, "query", "has a parameter without a name")
    elseif not call.query.types[decoded] then
      notes.refuse(handle, shown, instead(decoded, call.query))
    elseif equals == "" then
      notes.refuse(handle, shown, "has no value")
    elseif not text.is_utf8(text.from_percent(value)) then
      notes.refuse(handle, shown, "must be UTF-8 text")
    end
  end
end

-- Refuses a body that is not JSON. A body without a content type counts as JSON.
local function check_content(handle, headers, method)
  local kind, encoding = media_type(headers), headers:get("content-encoding")
  if kind:find("application/grpc", 1, true) == 1 then
    refuse_content(handle, "There is no gRPC at this path: it takes JSON, as Content-Type: application/json.")
  elseif headers:get("content-length") == "0" or not WITH_BODY[method] then
    return
  elseif kind ~= "" and kind ~= "application/json" then
    refuse_content(handle, "Content-Type: must be application/json, got " .. text.shorten(kind) .. ".")
  elseif encoding == "" then
    headers:remove("content-encoding")
  elseif encoding and encoding:lower() == "gzip" then
    headers:replace("content-encoding", "gzip") -- the filter `decompressor` knows no other case
  elseif encoding and encoding:lower() ~= "identity" then
    refuse_content(handle, "Content-Encoding: must be gzip, or left out for a body that is not packed, got "
      .. text.shorten(encoding) .. ".")
  end
end

-- Whether Envoy may keep a body before the server checks the credentials. An HTTP/1.1 connection has
-- one request at a time, so such bodies are few.
local function is_short(handle, headers)
  return (headers:get("content-length") or ""):find("^%d%d?%d?%d?$")
    and not headers:get("content-encoding")
    and handle:streamInfo():protocol() ~= "HTTP/2"
end

-- Notes the size that the end of a gzip body gives for what it packs. bodies.lua compares.
local function note_unpacked_bytes(handle)
  local last = ""
  for chunk in handle:bodyChunks() do
    local length = chunk:length()
    local new = math.min(length, 4)
    last = (last .. chunk:getBytes(length - new, new)):sub(-4)
    local a, b, c, d = last:byte(1, 4)
    notes.set(handle, "unpacked_bytes", d and a + 0x100 * (b + 0x100 * (c + 0x100 * d)) or -1)
  end
end

-- Checks a request that has no body, and turns HEAD into GET.
local function check_bodiless(handle, headers, method, call, query)
  if query then
    check_query(handle, headers, call, query)
  end
  if method == "HEAD" then
    headers:replace(":method", "GET")
    headers:add("x-envoy-original-method", "HEAD") -- for the access log
    notes.set(handle, "head", true)
    if call.stream then
      headers:replace("x-only-headers", "yes") -- the server ends the stream after its headers
    end
  end
end

-- Checks a REST request. `path` has the query, and not the base path of QuantStudio.
local function check_request(handle, path)
  local headers = handle:headers()
  local method = headers:get(":method")
  check_content(handle, headers, method)
  if not WITH_BODY[method] then
    headers:add(NO_LONG_BODY, "yes")
  end
  local at = path:find("?", 1, true)
  if not at and not WITH_BODY[method] and method ~= "HEAD" then
    return
  end
  local call = calls.find(method == "HEAD" and "GET" or method, path:sub(1, (at or 0) - 1))
  local query = at and path:sub(at + 1)
  if not call then
    return
  elseif not call.body then
    check_bodiless(handle, headers, method, call, query)
    return
  end
  if query then
    check_query(handle, headers, call, query)
  end
  if is_short(handle, headers) then
    headers:add(NO_LONG_BODY, "yes")
    check_body(handle, headers, call, true)
  elseif headers:get("content-encoding") == "gzip" then
    note_unpacked_bytes(handle)
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
  handle:headers():remove(NO_LONG_BODY)
  move_ticket(handle:headers())
  local path = handle:headers():get(":path") or ""
  local masked = text.without_secrets(path)
  if masked ~= path then
    handle:headers():replace(":path", masked)
  end
  -- For the access log, which cannot name the path after the transcoder has changed it.
  notes.set(handle, "path", (masked:gsub("?.*", "")))
  local trace_id = (handle:headers():get("traceparent") or ""):match("^00%-(%x+)%-%x+%-%x%x$")
  if trace_id and #trace_id == 32 then
    notes.set(handle, "trace_id", trace_id)
  end
  local route = handle:metadata()
  local allow = route:get("allow")
  if not allow and masked:find(STUDIO .. "/", 1, true) == 1 then
    notes.set(handle, "studio", true)
    masked = masked:sub(#STUDIO + 1)
    handle:headers():replace(":path", masked)
  end
  if allow == "contract" then
    allow = calls.methods((masked:gsub("?.*", ""):gsub("^" .. STUDIO .. "/", "/")))
  end
  local kib = handle:filterContext():get("max_header_kib")
  if too_large(handle:headers(), kib) then
    notes.set(handle, "grpc_status", RESOURCE_EXHAUSTED)
    handle:respond({[":status"] = "431"}, string.format(
      "The metadata is too large: it may have %d KiB in all, with 32 bytes more for each.", kib))
  elseif allow == "" then
    handle:respond({[":status"] = "404"}, "")
  elseif allow then
    handle:respond({[":status"] = "405", ["allow"] = allow}, "")
  elseif route:get("takes") == "gRPC" then
    check_call(handle, handle:headers())
    handle:headers():add(NO_LONG_BODY, "yes")
  else
    check_request(handle, masked)
  end
end

-- Removes the body of an answer to HEAD. Its headers stay those of the answer to GET.
local function without_body(handle)
  local headers = handle:headers()
  local length = headers:get("content-length")
  handle:body(true):setBytes("")
  headers = handle:headers()
  if length then
    headers:replace("content-length", length)
  else
    headers:remove("content-length")
  end
  if length and tonumber(length) >= PACKED then
    -- The filter `compressor` would pack nothing into some bytes.
    headers:replace("cache-control", headers:get("cache-control") .. ", no-transform")
    headers:replace("vary", "Accept-Encoding")
  end
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local status = headers:get(":status")
  local content_type = headers:get("content-type") or ""
  -- A gRPC answer has its status in the trailers. A status in the headers belongs to an error that the
  -- transcoder could not print.
  local noted = notes.all(handle)
  local unreadable = noted.unreadable
  if unreadable then
    status = "415"
    headers:replace(":status", status)
  elseif status == "200" and content_type:find("application/grpc", 1, true) == 1 then
    local right = STATUSES[headers:get("grpc-message") or ""]
    if right and headers:get("grpc-status") == UNKNOWN then
      headers:replace("grpc-status", right)
    elseif headers:get("grpc-status") == CANCELLED then
      headers:replace("grpc-status", UNAVAILABLE)
      headers:replace("grpc-message", errors.TRY_AGAIN)
      headers:replace("retry-after", "1")
    elseif noted.grpc_status then
      headers:replace("grpc-status", noted.grpc_status)
    end
    return
  end
  for name, value in pairs(SECURITY_HEADERS) do
    if not headers:get(name) then
      headers:add(name, value)
    end
  end
  local grpc_status, grpc_message = headers:get("grpc-status"), headers:get("grpc-message")
  if grpc_status then
    notes.set(handle, "answered", tonumber(grpc_status)) -- for the access log: the headers below go
  end
  local own = status == "400" and not grpc_status
  for _, name in ipairs(GRPC_HEADERS) do
    headers:remove(name)
  end
  local health = handle:metadata():get("health")
  if health and status == "504" then
    status = "503"
    headers:replace(":status", status)
  end
  local refusal = nil
  if own then
    local other
    other, refusal = callers.count(handle, noted.head)
    headers = handle:headers()
    if other then
      status = other
      headers:replace(":status", status)
    end
  end
  if status >= "400" then
    if status == "401" and not headers:get("www-authenticate") then
      headers:add("www-authenticate", 'Bearer realm="thequantcloud"')
    elseif status == "503" and not headers:get("retry-after") then
      headers:add("retry-after", "1")
    elseif status == errors.CLIENT_CLOSED_REQUEST then
      headers:replace(":status", "503")
      headers:replace("retry-after", "1")
    end
    if own and noted.head then
      errors.say_no_length(handle)
      return
    elseif unreadable then
      errors.set_error(handle, handle:body(true), '{"detail":"' .. text.to_json(unreadable) .. '"}')
    elseif refusal and status ~= "400" then
      errors.set_error(handle, handle:body(true), refusal)
    else
      errors.on_error(handle, status, grpc_message, health, noted.field)
    end
    if noted.head then
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
      if not noted.head then
        return add_ids(handle)
      end
    end
    local list = handle:metadata():get("list")
    if list and noted.studio then
      unwrap_list(handle, list)
    elseif health and noted.studio then
      say_ok(handle)
    end
    if noted.head then
      without_body(handle)
    end
  end
end
