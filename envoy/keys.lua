-- Finds keys, lists and nulls that a JSON body must not have. Envoy's transcoder drops an unknown key
-- and a null in a list, uses the last value of a key that is there twice, joins a list in a list to the
-- outer one, takes another value for a list of it, and accepts keys and texts without double quotes.

local instead = dofile(FOLDER .. "/instead.lua")
local text = dofile(FOLDER .. "/text.lua")

-- The deepest nesting. The transcoder accepts no more.
local DEEPEST = 100

-- The most keys, values, commas and brackets of a body. Envoy's thread serves no other request while it
-- reads them. The transcoder needs longer for such a body than this filter.
local MOST = 1000000

CONTRACT.messages.object = CONTRACT.messages.any

local QUOTE, COMMA, OPEN, CLOSE, BEGIN, END = ('",{}[]'):byte(1, 6)

-- Returns the path of the object or list that a frame of the stack stands for, with its separator.
local function place(stack, depth)
  local path = ""
  for level = 1, depth do
    local frame = stack[level]
    if frame.index then
      path = path:gsub("%.$", "") .. "[" .. frame.index .. "]."
    elseif frame.key and level < depth then
      path = path .. text.shorten(frame.key) .. "."
    end
  end
  return path
end

local function not_json(json, at, problem)
  local near = text.shorten(json:sub(at, at + 200))
  return "body", string.format("is not valid JSON near %s: %s", near, problem)
end

-- Returns the field and the problem of a wrong key.
local function wrong_key(stack, depth, key)
  local path, shown, frame = place(stack, depth), text.shorten(key), stack[depth]
  if not text.is_utf8(path .. shown) then
    return nil
  elseif frame.seen[key] then
    return path .. shown, "is given more than once"
  elseif key == "" then
    return depth == 1 and "body" or path:sub(1, -2), "has a key with an empty name"
  end
  local outer = nil
  for level = depth - 1, 1, -1 do
    if not outer and stack[level].seen then
      outer = {message = stack[level].message, path = place(stack, level)}
    end
  end
  return path .. shown, instead(key, frame.message, outer)
end

-- Returns the field and the problem of a wrong value, whose frame is at `depth`.
local function wrong_value(stack, depth, problem)
  local frame = stack[depth]
  local path = place(stack, depth) .. (frame.index and "" or text.shorten(frame.key))
  if not text.is_utf8(path) then
    return nil
  end
  return path:gsub("%.$", ""), problem
end

-- Says which form a value of the message `kind` must have.
local function right_form(kind)
  local first = CONTRACT.messages[kind][1]
  if kind == "any" then
    return "must be a single value"
  end
  return "must be an object" .. (first and ', such as {"' .. first .. '": ...}' or "")
end

-- Reads the key of an object at `at`. Returns the position after it, or after the object's last key.
-- Otherwise returns nil, and the field and the problem, if there is one that the transcoder may not see.
local function read_key(json, at, stack, depth)
  local from = json:match('^%s*"()', at)
  if not from then
    if json:find("^%s*}", at) then
      return at
    end
    at = json:match("^%s*()", at)
    if at > #json then
      return nil
    end
    return nil, not_json(json, at, "expected a key in double quotes")
  end
  local closed = text.closing_quote(json, from)
  if not closed then
    return nil
  end
  local key, frame = json:sub(from, closed - 1), stack[depth]
  if key:find("\\", 1, true) then
    key = text.from_json(key)
  end
  local kind = frame.message.types[key] or frame.message.types["*"]
  if not kind or frame.seen[key] then
    return nil, wrong_key(stack, depth, key)
  end
  frame.seen[key], frame.key, frame.kind = true, key, kind
  if (frame.message.lists or {})[key] and json:find('^%s*:%s*["{%dtf-]', closed + 1) then
    return nil, wrong_value(stack, depth, "must be a list")
  end
  -- The transcoder would call a map's value `[0].value`.
  if frame.message.types["*"] and kind ~= "any" and json:find('^%s*:%s*["%dtf-]', closed + 1) then
    return nil, wrong_value(stack, depth, right_form(kind))
  end
  return closed + 1
end

-- Returns the frame of an object or a list, which begins with `byte` in the frame `outer`. An object has
-- the keys that it has `seen`, its current `key` and the message of that one's value, `kind`. A list has
-- the current `index`, and says how deep it and the lists in it may be nested: `deep`.
local function frame_of(byte, outer)
  if byte == OPEN then
    return {message = CONTRACT.messages[outer.kind], seen = {}}
  elseif outer.index then
    return {index = 0, kind = outer.kind, deep = outer.deep - 1}
  elseif outer.message == CONTRACT.messages.any then
    return {index = 0, kind = outer.kind, deep = math.huge}
  end
  return {index = 0, kind = outer.kind, deep = (outer.message.lists or {})[outer.key] or 0}
end

-- Returns the field and the problem of the first wrong key, list or null in a JSON body of the message
-- `name`, or nil, nil and the position after the object, if that ends. It leaves all other errors of a
-- body to the transcoder, but returns nil only for a body that the transcoder reads in the same way, or
-- refuses.
return function(json, name)
  local at = json:match("^%s*{()")
  if not at then
    return nil
  end
  local frame = frame_of(OPEN, {kind = name})
  local stack, depth, left, expects_key = {frame}, 1, MOST, true
  while true do
    left = left - 1
    if left == 0 then
      return "body", "has more than " .. MOST .. " keys, values, commas and brackets"
    end
    if expects_key then
      local field, problem
      expects_key, at, field, problem = false, read_key(json, at, stack, depth)
      if not at then
        return field, problem
      end
    end
    at = json:find("[^%s%d:.eE+-]", at)
    if not at then
      return nil
    end
    local byte = json:byte(at)
    if byte == QUOTE then
      at = text.closing_quote(json, at + 1)
      if not at then
        return nil
      end
    elseif byte == COMMA then
      expects_key = frame.seen ~= nil
      frame.index = frame.index and frame.index + 1
    elseif byte == OPEN or byte == BEGIN then
      if depth == DEEPEST then
        return "body", "is nested too deeply"
      end
      local inner = frame_of(byte, frame)
      if inner.deep == 0 then
        return wrong_value(stack, depth, right_form(inner.kind) .. ", got a list")
      end
      frame, depth = inner, depth + 1
      stack[depth], expects_key = frame, byte == OPEN
    elseif byte == CLOSE or byte == END then
      stack[depth] = nil
      depth = depth - 1
      frame = stack[depth]
      if not frame then
        return nil, nil, at + 1
      end
    elseif frame.index and frame.deep < math.huge and json:find("^null", at) then
      return wrong_value(stack, depth, "must not be null")
    else
      at = json:match("^true()", at) or json:match("^false()", at) or json:match("^null()", at)
        or -at
      if at < 0 then
        return not_json(json, -at, "expected a value in double quotes, a number, true, false or null")
      end
      at = at - 1
    end
    at = at + 1
  end
end
