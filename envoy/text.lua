-- Texts in JSON and in errors, for the other Lua files of Envoy's filters.

local text = {}

-- The longest piece of a request that an error shows, in bytes.
local SHOWN = 60

-- A copy that is not left to Lua's own collection of garbage, in bytes.
local LARGE = 1024 * 1024

-- API keys and JWTs that a client put into a wrong place. They are not forwarded, logged or shown.
-- `serve` masks the same patterns in its log.
local SECRETS = {
  ["qc_live_[%w_%-]+"] = "qc_live_...",
  ["eyJ[%w_%-]+%.[%w_%-]+%.?[%w_%-]*"] = "eyJ...",
}

local ESCAPES = {b = "\b", f = "\f", n = "\n", r = "\r", t = "\t"}

local function utf8(code)
  if code < 0x80 then
    return string.char(code)
  elseif code < 0x800 then
    return string.char(0xC0 + math.floor(code / 0x40), 0x80 + code % 0x40)
  elseif code < 0x10000 then
    return string.char(
      0xE0 + math.floor(code / 0x1000),
      0x80 + math.floor(code / 0x40) % 0x40,
      0x80 + code % 0x40
    )
  end
  return string.char(
    0xF0 + math.floor(code / 0x40000),
    0x80 + math.floor(code / 0x1000) % 0x40,
    0x80 + math.floor(code / 0x40) % 0x40,
    0x80 + code % 0x40
  )
end

-- The forms of characters in UTF-8.
local UTF8 = {
  "^[%z\1-\127]+()", "^[\194-\223][\128-\191]()", "^\224[\160-\191][\128-\191]()",
  "^[\225-\236\238\239][\128-\191][\128-\191]()", "^\237[\128-\159][\128-\191]()",
  "^\240[\144-\191][\128-\191][\128-\191]()", "^[\241-\243][\128-\191][\128-\191][\128-\191]()",
  "^\244[\128-\143][\128-\191][\128-\191]()",
}

-- Whether a text is valid UTF-8.
function text.is_utf8(word)
  local at = 1
  while at <= #word do
    local after = nil
    for _, pattern in ipairs(UTF8) do
      after = after or word:match(pattern, at)
    end
    if not after then
      return false
    end
    at = after
  end
  return true
end

-- Returns the character of the escape `\u....` at `at`, and the position after it.
local function unicode(escaped, at)
  local code = tonumber(escaped:match("^%x%x%x%x", at + 2) or "fffd", 16)
  if code < 0xD800 or code > 0xDFFF then
    return utf8(code), at + 6
  end
  local low = tonumber(escaped:match("^\\u([dD][c-fC-F]%x%x)", at + 6) or "0", 16)
  if code > 0xDBFF or low == 0 then
    return utf8(0xFFFD), at + 6 -- half of a surrogate pair is not a character
  end
  return utf8(0x10000 + (code - 0xD800) * 0x400 + low - 0xDC00), at + 12
end

-- Returns the text of a JSON string that is given without its quotes.
function text.from_json(escaped)
  local parts, from = {}, 1
  while true do
    local at = escaped:find("\\", from, true)
    if not at then
      break
    end
    parts[#parts + 1] = escaped:sub(from, at - 1)
    local letter = escaped:sub(at + 1, at + 1)
    if letter == "u" then
      parts[#parts + 1], from = unicode(escaped, at)
    else
      parts[#parts + 1] = ESCAPES[letter] or letter
      from = at + 2
    end
  end
  parts[#parts + 1] = escaped:sub(from)
  return table.concat(parts)
end

function text.to_json(plain)
  return (plain:gsub('[%c"\\]', function(c)
    return (c == '"' or c == "\\") and "\\" .. c or string.format("\\u%04x", c:byte())
  end))
end

-- Returns the text of a part of a URL, or of a gRPC message.
function text.from_percent(escaped)
  return (escaped:gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

-- Returns the position of the quote that ends the JSON string whose first quote is before `from`.
function text.closing_quote(json, from)
  local at = json:find('"', from, true)
  while at do
    local before = at - 1
    while before >= from and json:byte(before) == 92 do -- a backslash
      before = before - 1
    end
    if (at - before) % 2 == 1 then
      return at
    end
    at = json:find('"', at + 1, true)
  end
  return nil
end

-- Returns the text, cut between two characters if it is long.
function text.shorten(plain)
  if #plain <= SHOWN then
    return plain
  end
  return plain:sub(1, SHOWN):gsub("[\192-\255][\128-\191]*$", "") .. "..."
end

function text.without_secrets(plain)
  for secret, shown in pairs(SECRETS) do
    plain = plain:gsub(secret, shown)
  end
  return plain
end

-- Frees the copies of a text of this length if they are large. Lua would keep them until it has made as
-- much again.
function text.free(length)
  if length > LARGE then
    collectgarbage()
  end
end

return text
