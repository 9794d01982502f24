-- Says what is right instead of an unknown name in a request.

-- The least length of a word for which a word of one more wrong letter is near.
local LETTERS = 4

-- Returns how many letters must be inserted, deleted, replaced or swapped to get from one word to the
-- other.
local function distance(from, to)
  local before, last, now = nil, {}, nil
  for j = 0, #to do
    last[j] = j
  end
  for i = 1, #from do
    now = {[0] = i}
    for j = 1, #to do
      local same = from:byte(i) == to:byte(j)
      now[j] = math.min(last[j] + 1, now[j - 1] + 1, last[j - 1] + (same and 0 or 1))
      if i > 1 and j > 1 and from:byte(i) == to:byte(j - 1) and from:byte(i - 1) == to:byte(j) then
        now[j] = math.min(now[j], before[j - 2] + 1)
      end
    end
    before, last = last, now
  end
  return last[#to]
end

local function plain(word)
  return (word:lower():gsub("[^%w]", ""))
end

-- Returns the known word that is nearest to `word`, if one is near.
local function nearest(word, known)
  local best, least = nil, nil
  word = plain(word)
  if word == "" or #word > 64 then
    return nil
  end
  for _, other in ipairs(known) do
    local away = distance(word, plain(other))
    if away <= math.max(1, math.floor(#word / LETTERS)) and (not least or away < least) then
      best, least = other, away
    end
  end
  return best
end

-- Returns the key of a nested object that is called `key`, as OBJECT.KEY.
local function inside(key, message)
  for _, field in ipairs(message) do
    local nested = CONTRACT.messages[message.types[field]]
    if nested and #nested > 0 and nested.types[key] then
      return field .. "." .. key
    end
  end
  return nil
end

-- Says what is right instead of an unknown key of a message. `outer` has the `message` around it, and
-- its `path`.
return function(key, message, outer)
  local near = inside(key, message) or nearest(key, message)
  if near then
    return "is unknown; did you mean '" .. near .. "'?"
  elseif outer and outer.message.types[key] then
    return "is unknown; did you mean '" .. outer.path .. key .. "'?"
  elseif #message == 0 then
    return "is unknown; none is known here"
  end
  return "is unknown; known are " .. table.concat(message, ", ")
end
