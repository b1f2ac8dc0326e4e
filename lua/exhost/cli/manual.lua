--- The manual page, made of what the commands say of themselves.

local function escape(text)
  return (text:gsub("\\", "\\e"):gsub("\n%.", "\n\\&."):gsub("^([.'])", "\\&%1"):gsub("%-", "\\-"))
end

local function options(out, list)
  for _, option in ipairs(list) do
    local names = {}
    for i, name in ipairs(option) do
      names[i] = "\\fB" .. escape(name) .. "\\fR"
        .. (option.value and " \\fI" .. escape(option.value) .. "\\fR" or "")
    end
    out[#out + 1] = ".TP\n" .. table.concat(names, ", ") .. "\n" .. escape(option.help or "")
  end
end

local TEXT = {
  { "DESCRIPTION", [[
exhost starts, supervises, streams, stops and cleans up jobs as plain processes, as containers, and
as whatever else a backend carries out. No command needs a daemon, and several may work on one state
folder at once: each execution has a supervisor of its own that outlives whoever started it.]] },
}

local AFTER = {
  { "EXIT STATUS", [[
Of run, wait and exec: the job's own; 128 and the number of the signal that ended it; 124 when it
was stopped at its time-out, or not waited for any longer; 125 when exhost or the engine failed, or
on wrong usage; 126 when the command cannot be executed; 127 when it was not found. Of start: 0 when
the job runs, else 125, 126 or 127. Of the others: 0, 1 on failure, 2 on wrong usage.]] },
  { "ENVIRONMENT", [[
EXHOST_STATE_DIR: the state folder. NO_COLOR: no colors. An engine's own variables are read as its
own command reads them.]] },
  { "FILES", [[
/var/lib/exhost: state, for root; else $XDG_STATE_HOME/exhost. /etc/exhost/config.lua: settings.
/etc/exhost/backends, /etc/exhost/policies: a site's own.]] },
}

local function sections(out, list)
  for _, section in ipairs(list) do
    out[#out + 1] = ".SH " .. section[1]
    out[#out + 1] = escape(section[2])
  end
end

---@param names string[] the commands
---@param global table[] options of every command
---@param load fun(name: string): table
---@return string troff
return function(names, global, load)
  local out = { '.TH EXHOST 1', ".SH NAME", "exhost \\- run, follow and stop jobs", ".SH SYNOPSIS",
    "\\fBexhost\\fR [\\fIOPTIONS\\fR] \\fICOMMAND\\fR \\&..." }
  sections(out, TEXT)
  out[#out + 1] = ".SH OPTIONS"
  options(out, global)
  out[#out + 1] = ".SH COMMANDS"
  for _, name in ipairs(names) do
    local command = load(name)
    out[#out + 1] = ".SS exhost " .. escape(command.usage)
    out[#out + 1] = escape(command.summary)
    options(out, command.options)
  end
  sections(out, AFTER)
  return table.concat(out, "\n") .. "\n"
end
