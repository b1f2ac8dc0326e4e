--- Reading a command line: short and long options, values, `--`.

local suggest = require "exhost.schema.suggest"

local args = {}

--- Index option specs { "-f", "--file", key = "file", value = "FILE", many = true }.
local function index(options)
  local known = {}
  for _, option in ipairs(options) do
    for _, name in ipairs(option) do known[name] = option end
  end
  return known
end

local function set(parsed, option, value)
  if option.many then
    parsed[option.key] = parsed[option.key] or {}
    table.insert(parsed[option.key], value)
  else
    parsed[option.key] = value
  end
end

--- Split "--name=value", "-nVALUE" and "-abc" as people write them.
---@return string name, string? value, string? rest the other letters of "-abc", as "-bc"
local function split(word, known)
  if known[word] then return word end
  local name, value = word:match("^(%-%-[^=]+)=(.*)$")
  if name then return name, value end
  name = word:sub(1, 2)
  if name == "--" or not known[name] or word:sub(3, 3) == "-" then return word end
  if known[name].value then return name, word:sub(3) end
  return name, nil, "-" .. word:sub(3)
end

--- ` (did you mean NAME?)` when one of the names is near.
function args.hint(wrong, names)
  local meant = suggest.nearest(wrong, names)
  return meant and " (did you mean " .. meant .. "?)" or ""
end

local function unknown(name, known)
  local names = {}
  for other in pairs(known) do
    if #other > 2 then names[#names + 1] = other end
  end
  return "unknown option " .. name .. args.hint(name, names)
end

--- Parse words from `first` on.
---@param words string[]
---@param first integer
---@param options table[] option specs
---@param stop_at_word boolean the first word that is no option ends the options
---@return table? parsed option values by key, and the other words as a list, string? err
function args.parse(words, first, options, stop_at_word)
  local known, parsed, i, rest = index(options), {}, first, nil
  while words[i] do
    local word = rest or words[i]
    if word == "--" then
      for k = i + 1, #words do parsed[#parsed + 1] = words[k] end
      return parsed
    end
    if word:sub(1, 1) ~= "-" or word == "-" then
      if stop_at_word then
        for k = i, #words do parsed[#parsed + 1] = words[k] end
        return parsed
      end
      parsed[#parsed + 1] = word
    else
      local name, value
      name, value, rest = split(word, known)
      local option = known[name]
      if not option then return nil, unknown(name, known) end
      if option.value and value == nil then
        i = i + 1
        value = words[i]
        if value == nil then return nil, name .. ": expected " .. option.value end
      elseif not option.value and value ~= nil then
        return nil, name .. " takes no value"
      end
      set(parsed, option, option.value and value or true)
    end
    if not rest then i = i + 1 end
  end
  return parsed
end

--- Help text for options.
function args.describe(options)
  local lines = {}
  for _, option in ipairs(options) do
    local names = table.concat(option, ", ") .. (option.value and " " .. option.value or "")
    lines[#lines + 1] = string.format("  %-28s %s", names, option.help or "")
  end
  return table.concat(lines, "\n")
end

return args
