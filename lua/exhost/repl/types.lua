---@meta
--- Types of the modules in C that prompts need (lua/exhost/types.lua has the others).

-- exhost.typed ---------------------------------------------------------------------------

---@class exhost.typed code that people type: repl/session.lua
local typed = {}

---@class exhost.prompt
local Prompt = {}

--- Look at what runs, from the first prompt on. async.take_turns calls it.
---@param tasks table<thread, table> tasks by coroutine
---@param library string a folder of sources
function typed.start(tasks, library) end

--- Go on looking after somebody else had a hook.
function typed.watch() end

--- A place where code is typed; its chunks are named "=" .. name.
---@param name string begins with "prompt", at most 30 bytes
---@param terminal boolean signals stop it, and it may hold the host
---@return exhost.prompt
function typed.prompt(name, terminal) end

--- The coroutine runs a chunk from now on.
---@param co thread
function Prompt:enter(co) end

--- The chunk has ended.
function Prompt:leave() end

--- An error "interrupted" is raised in what was typed, in its own functions, until the next
--- chunk.
function Prompt:interrupt() end

function Prompt:close() end

-- exhost.edit ----------------------------------------------------------------------------

---@class exhost.edit a line editor on descriptors 0 and 1: in the command only
local edit = {}

---@class exhost.Editor
local Editor = {}

--- fn gets "line", "tab" (what stands before the cursor; wants answer()), "abort" or
--- "end". ENOSYS: there is no libedit here.
---@param fn fun(event: string, text: string?)
---@return exhost.Editor?, string?, string?
function edit.open(fn) end

--- Edit a line. EBUSY while one is edited.
---@param prompt string
---@return true?, string?, string?
function Editor:read(prompt) end

--- Answer "tab".
---@param insert string put in at the cursor
---@param list string shown above the line, "" for nothing
---@return true?, string?, string?
function Editor:answer(insert, list) end

--- Drop the line that is edited; "abort" tells when it is.
function Editor:abort() end

--- Add to what the arrow keys bring back. EBUSY while a line is edited.
---@param line string
---@return true?, string?, string?
function Editor:remember(line) end

--- Give the terminal back.
function Editor:close() end
