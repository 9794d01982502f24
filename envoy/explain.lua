-- Explains why Envoy refused a request: a sentence with the field and what would be right.

local text = dofile(FOLDER .. "/text.lua")

-- How an error describes a value of each type.
local TYPES = {
  BOOL = "true or false",
  DOUBLE = "a number",
  INT32 = "an integer",
  INT64 = "an integer",
  STRING = "a string",
  UINT32 = "an integer",
}

-- The least and the greatest value of each type of integers.
local RANGES = {
  INT32 = "-2147483648 to 2147483647",
  INT64 = "-9223372036854775808 to 9223372036854775807",
  UINT32 = "0 to 4294967295",
}

local function uncapitalised(sentence)
  return (sentence:gsub("^%u", string.lower):gsub("%.$", ""))
end

-- Explains a wrong value, from the transcoder's "FIELD: invalid value VALUE for type TYPE".
local function wrong_value(field, value, kind)
  if field == "" then
    local twice = value:match("^oneof field '_.-' is already set%. Cannot set '(.-)'$")
    if twice then
      return twice .. ": is given more than once"
    elseif value == "Starting an object on a scalar field" then
      return kind .. ": must be a single value, got an object"
    end
    return nil
  end
  if value:find("^Field '") then -- the transcoder's sentence about a time, without the value
    return field .. ": must be a time, such as 2025-03-31T12:00:00Z"
  end
  local name, message = kind:match("^TYPE_(%w+)$"), kind:match("^type%.googleapis%.com/(.+)$")
  local right = TYPES[name or ""]
  if not right and CONTRACT.enums[message] then
    right = "one of " .. CONTRACT.enums[message]
  elseif message == "google.protobuf.Timestamp" then
    right = "a time, such as 2025-03-31T12:00:00Z"
  elseif not right and message then
    right = "an object"
  elseif RANGES[name] and (value:find('^"?-?%d+"?$') or value:find("^-?[%d.]+e%+%d+$")) then
    right = "an integer from " .. RANGES[name]
  end
  return right and string.format("%s: must be %s, got %s", field, right, text.shorten(value))
end

-- Explains invalid JSON, from the transcoder's three lines: the error, the text around it, and a mark
-- below the position.
local function wrong_json(sentence)
  local problem, around, mark = sentence:match("^([^\n]+)\n(.*)\n( *)%^$")
  if not problem then
    return nil
  end
  local near = around:sub(#mark + 1):match("^%s*(.-)%s*$")
  return string.format(
    "body: is not valid JSON %s: %s",
    near == "" and "at its end" or "near " .. text.shorten(near),
    uncapitalised(problem)
  )
end

return function(sentence)
  if sentence == "" or sentence == "Bad Request" then
    return "This is not a valid HTTP request: check the method, the path, which has no '#' nor spaces, "
      .. "Host, Content-Length and the characters of the headers."
  end
  local field, value, kind = sentence:match("^(.-): invalid value (.*) for type (%S+)$")
  if field then
    return wrong_value(field, value, kind) or sentence
  elseif sentence == ": Root element must be a message." then
    return "body: must be a JSON object"
  elseif sentence:find("^Message too deep") then
    return "body: is nested too deeply"
  end
  return wrong_json(sentence) or sentence
end
