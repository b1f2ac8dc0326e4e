---@meta
--- Types of `exhost.http_core` and `exhost.hijack` (lua/exhost/types.lua has the other modules in
--- C). Nothing requires this.

-- exhost.http_core -----------------------------------------------------------------------

---@class exhost.http_module
local http = {}

---@class exhost.http one engine's address
local Http = {}

---@class exhost.http_request
local HttpRequest = {}

---@class exhost.HttpAnswer
---@field status integer of HTTP; 0 when there was none
---@field error string? what went wrong; then the body may be cut short
---@field refused boolean nobody listens there
---@field body string
---@field type string?
---@field version string? header Api-Version

---@class exhost.HttpOptions
---@field method string
---@field path string encoded
---@field headers string[]? "Name: value"
---@field body string?
---@field limit integer? bytes of a body that is kept; default 16 MiB
---@field on_answer fun(answer: exhost.HttpAnswer) once
---@field on_data fun(bytes: string)? pieces of a 2xx body, which is then not kept

--- A client for a unix socket's path or "host:port". Loads libcurl.
---@param address string
---@return exhost.http? client, string? err, string? code
function http.open(address) end

--- Begin a request.
---@param options exhost.HttpOptions
---@return exhost.http_request? request, string? err, string? code
function Http:send(options) end

--- Aborts what is in flight.
function Http:close() end

--- End a request; on_answer is not called any more.
function HttpRequest:abort() end

-- exhost.hijack --------------------------------------------------------------------------

---@class exhost.hijack_module
local hijack = {}

---@class exhost.hijack a request whose connection is a stream both ways
local Hijack = {}

--- POST, then pass on what the engine puts out, and what stdin says, until the stream ends.
---@param client exhost.http
---@param options { path: string, body: string, stdin: integer?, stdout: integer, stderr: integer }
--- descriptors, taken over in any case; stdout and stderr are pipes or sockets
---@param fn fun(answer: { status: integer, body: string, error: string?, code: string? }) once
---@return exhost.hijack? hijack, string? err, string? code
function hijack.open(client, options, fn) end

--- The connection is cut; fn is not called any more.
function Hijack:close() end
