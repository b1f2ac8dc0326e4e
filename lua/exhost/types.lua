---@meta
--- Types of the modules in C (bindings/), for lua-language-server. Nothing requires this.
--
-- Unless said otherwise a function answers a value, or nil, "ENOENT: no such file or
-- directory", "ENOENT"; a wrong argument type raises. None of them suspends.

-- exhost.loop ----------------------------------------------------------------------------

---@class exhost.loop
local loop = {}

---@class exhost.timer
local Timer = {}

--- Call fn once, in so many seconds (at least 1 ms), never early.
---@param seconds number
---@param fn fun()
---@return exhost.timer
function loop.timer(seconds, fn) end

--- fn is not called any more. Any number of times.
function Timer:stop() end

--- Call fn in the loop's next round, when every descriptor and timer had its turn.
---@param fn fun()
---@return true?, string?, string?
function loop.next_turn(fn) end

--- Something was answered, or asked for. Where that came soon after the last time the loop looks
--- for what comes, for 50 us, before it sleeps: being woken up takes longer.
function loop.look() end

--- Seconds of a monotonic clock.
---@return number
function loop.now() end

--- Seconds since 1970, to the microsecond.
---@return number
function loop.time() end

--- The time of day as RFC 3339 with nanoseconds.
---@return string
function loop.timestamp() end

--- CLOCK_BOOTTIME so many seconds from now: whole nanoseconds as text, as a number has not
--- the digits.
---@param seconds number?
---@return string
function loop.boottime(seconds) end

--- Who is told of the signals that the command gets; nil: they end it.
---@param fn fun(signal: integer)?
function loop.on_interrupt(fn) end

--- The signals so far were answered: a program that is told of six and never says so is
--- taken for deaf, and ended.
function loop.heed() end

--- How many Lua values C holds now.
---@return integer
function loop.refs() end

--- Run what is ready, waiting for something if nothing is. For a main chunk only (specs).
---@return boolean more false when nothing is left to wait for
function loop.step() end

-- exhost.process_core --------------------------------------------------------------------

---@class exhost.process_core
local process = {}

---@class exhost.process
local Process = {}

---@class exhost.SpawnOptions
---@field file string path of the program; no search
---@field argv string[]
---@field env string[]? KEY=VALUE; all that it gets
---@field fds table<integer, integer>? [number there] = number here; borrowed. At most 16, below
--- 64; 0 to 2 are /dev/null unless named, and it has no others
---@field on_exit fun(status: integer, signal: integer)? once; status -1: somebody else reaped it

--- Start a program in a session of its own. Without on_exit it is reaped all the same.
---@param options exhost.SpawnOptions
---@return exhost.process|integer|nil process or, without on_exit, its pid
---@return string?, string?
function process.spawn(options) end

---@return integer? pid nil once it has ended or was released
function Process:pid() end

--- ESRCH once it has ended.
---@param number integer
---@return true?, string?, string?
function Process:signal(number) end

--- on_exit is not called any more; the program runs on and is reaped.
function Process:release() end

-- exhost.channel -------------------------------------------------------------------------

---@class exhost.channels
local channel = {}

---@class exhost.channel
local Channel = {}

---@class exhost.hangup
local Hangup = {}

--- A connected pair. fn gets each line without its newline, and nil at the end.
---@param fn fun(line: string?)
---@return exhost.channel? channel, integer|string other its other end, the caller's to close
---@return string?
function channel.open(fn) end

--- One line of at most 511 bytes: EINVAL, E2BIG, EAGAIN (not read), EPIPE (gone).
---@param line string
---@return true?, string?, string?
function Channel:send(line) end

function Channel:close() end

--- fn is called once, when the FIFO's last reader goes; ENXIO when there is none now.
---@param dir exhost.dir
---@param name string
---@param fn fun()
---@return exhost.hangup?, string?, string?
function channel.fifo_hangup(dir, name, fn) end

function Hangup:close() end

-- exhost.watch ---------------------------------------------------------------------------

---@class exhost.watches
local watch = {}

---@class exhost.watch
local Watch = {}

--- fn gets the name that was made, linked or renamed in (or, with `modified`, written to);
--- nil: look at everything, as the folder is gone (moved or removed: `gone`, and the watch has
--- ended) or reports were lost.
---@param dir exhost.dir
---@param fn fun(name: string?, gone: boolean)
---@param modified boolean?
---@return exhost.watch?, string?, string?
function watch.open(dir, fn, modified) end

function Watch:close() end

-- exhost.logread -------------------------------------------------------------------------

---@class exhost.logread
local logread = {}

---@class exhost.LogReader
local Reader = {}

---@class exhost.LogReadOptions
---@field target integer descriptor; taken over on success
---@field on_end fun(ok: true?, message: string?, code: string?) once; EPIPE: nobody reads
---@field format "raw"|"frames"|"jsonl"|nil
---@field stream "stdout"|"stderr"|nil nil: both
---@field timestamps boolean?
---@field follow boolean? go on until finish()
---@field tail boolean? leave out history
---@field lines number? the last so many
---@field from_stdout number? bytes of the file that are not this execution's
---@field from_stderr number?
---@field since number? seconds since 1970
---@field until number?

---@param log_dir exhost.dir of stdout.log and stderr.log
---@param index_dir exhost.dir of log.idx
---@param options exhost.LogReadOptions
---@return exhost.LogReader?, string?, string?
function logread.open(log_dir, index_dir, options) end

--- No more will be written: give the rest and end.
function Reader:finish() end

--- on_end is not called any more; closes the target.
function Reader:close() end

---@return integer? read_end, integer|string write_end both non-blocking, the caller's
---@return string?
function logread.pipe() end

--- A descriptor for the same output that may be non-blocking without being so for others.
---@param fd integer
---@return integer? own the caller's, string?, string?
function logread.own_output(fd) end

--- The same for input.
---@param fd integer
---@return integer? own the caller's, string?, string?
function logread.own_input(fd) end

-- exhost.collect, exhost.outlet ----------------------------------------------------------

---@class exhost.collects
local collect = {}

---@class exhost.collect
local Collector = {}

--- Read a FIFO to its end; fn gets the last `limit` bytes (1 MiB) and how many went before.
--- With `target`, taken over, all goes there.
---@param dir exhost.dir
---@param name string
---@param options { limit: number?, target: integer? }
---@param fn fun(bytes: string, dropped: number, _: nil, message: string?, code: string?)
---@return exhost.collect?, string?, string?
function collect.fifo(dir, name, options, fn) end

--- The same of a new pipe, with the end of it to write to, which is the caller's to close.
---@param options { limit: number?, target: integer? }
---@param fn fun(bytes: string, dropped: number, _: nil, message: string?, code: string?)
---@return exhost.collect? collector, integer|string end_or_err, string? code
function collect.pipe(options, fn) end

--- fn is called now, with what has come.
function Collector:finish() end

function Collector:close() end

---@class exhost.outlets
local outlet = {}

---@class exhost.outlet
local Outlet = {}

--- Lines to somebody who may be slow: at most `limit` bytes wait.
---@param fd integer taken over
---@param limit number
---@param fn fun(word: "empty"|"gone")
---@return exhost.outlet?, string?, string?
function outlet.open(fd, limit, fn) end

--- ENOBUFS when it does not fit, EPIPE when nobody reads.
---@param text string
---@return true?, string?, string?
function Outlet:put(text) end

function Outlet:close() end

-- exhost.cgroup_core ---------------------------------------------------------------------

---@class exhost.cgroup_core
local cgroup = {}

---@param root string
---@return 0|1|2 version 0: none
function cgroup.version(root) end

--- Make a group and its parents, with the controllers of `enable` ("+memory +pids") switched
--- on in every parent.
---@param root string
---@param path string absolute, below root
---@param enable string?
---@return true?, string?, string?
function cgroup.make(root, path, enable) end

---@return true?, string?, string?
function cgroup.write(path, file, value) end

---@return string?, string?, string? at most 64 KiB
function cgroup.read(path, file) end

--- SIGKILL to each process. Call again until 0.
---@return integer? found, string?, string?
function cgroup.kill(path) end

--- EBUSY while it has processes; gone already is no error.
---@return true?, string?, string?
function cgroup.remove(path) end

-- exhost.lines ---------------------------------------------------------------------------

---@class exhost.lines_module
local lines = {}

---@class exhost.lines
local Lines = {}

--- Read a pipe or socket line by line. fn gets every line without its newline, then nil
--- once, with a reason unless it is the plain end (EMSGSIZE: a line over the limit).
---@param fd integer taken over
---@param limit integer bytes of a line
---@param fn fun(line: string?, err: string?, code: string?)
---@return exhost.lines? reader, string? err, string? code
function lines.open(fd, limit, fn) end

--- A descriptor that came along on a socket, yours; nil when there is none.
---@return integer?
function Lines:take_fd() end

--- fn is not called any more.
function Lines:close() end

-- exhost.listen --------------------------------------------------------------------------

---@class exhost.listen_module
local listen = {}

---@class exhost.listen
local Listen = {}

--- Listen on a unix socket in a folder, mode 0600; peers of another user than ours and root
--- are turned away. EADDRINUSE: somebody serves it.
---@param dir exhost.dir
---@param name string
---@param fn fun(fd: integer, uid: integer, pid: integer) takes the descriptor over
---@return exhost.listen? listener, string? err, string? code
function listen.open(dir, name, fn) end

--- The same for a socket that already listens, taken over.
---@param fd integer
---@param fn fun(fd: integer, uid: integer, pid: integer)
---@return exhost.listen? listener, string? err, string? code
function listen.wrap(fd, fn) end

--- TCP on 127.0.0.1, for whoever is on this machine; port 0: any.
---@param port integer
---@param fn fun(fd: integer) takes the descriptor over
---@return exhost.listen? listener, integer|string port_or_err, string? code
function listen.loopback(port, fn) end

--- Connect to a socket in a folder. EAGAIN: as many wait for its host as may.
---@param dir exhost.dir
---@param name string
---@return integer? fd, string? err, string? code
function listen.connect(dir, name) end

--- Connections that were made go on.
function Listen:close() end

-- exhost.json_core -----------------------------------------------------------------------

---@class exhost.json_core what exhost.json is made of; use that
local json = {}

--- What writes and what checks JSON, with the metatable that marks arrays and what stands for null.
---@param array table
---@param null table
---@return fun(value: any, indent: boolean?, raw: boolean?): string?, string?, any[]? encode
---@return fun(decoded: table): string?, any[]? tidy
---@return fun(text: string): boolean is_plain
function json.open(array, null) end

-- exhost.system --------------------------------------------------------------------------

---@class exhost.system
local system = {}

---@class exhost.User
---@field uid integer
---@field gid integer
---@field name string "" when in no database
---@field home string
---@field groups integer[] the primary one among them

---@return integer uid, integer gid, integer pid
function system.ids() end

---@return string?, string?, string?
function system.cwd() end

--- Absolute, without symlinks.
---@return string?, string?, string?
function system.real_path(path) end

--- Whether only root or we could have written it, and every folder above it.
---@return true?, string? why, string?
function system.trusted(path) end

---@param bytes integer 1 to 32
---@return string?, string?, string?
function system.random_hex(bytes) end

---@param fd integer
---@return integer? columns, integer? rows nothing when it is no terminal
function system.terminal(fd) end

---@param errno integer
---@return string text, string name
function system.error_text(errno) end

--- All of it, waiting where fd makes us wait: for the command's own output.
---@return true?, string?, string?
function system.write(fd, text) end

--- Up to its end; EFBIG above max bytes. Waits: for the command.
---@return string?, string?, string?
function system.read_all(fd, max) end

--- What is there now, "" at the end, EAGAIN when nothing is.
---@return string?, string?, string?
function system.read_some(fd) end

--- Another number for the same descriptor.
---@param fd integer
---@return integer? fd, string? err, string? code
function system.dup(fd) end

--- A pipe: both ends block, and are closed in programs that are started.
---@return integer? read_end, integer|string write_end
function system.pipe() end

---@return true?, string?, string?
function system.close(fd) end

--- From /etc/passwd and /etc/group; nil when not there.
---@return exhost.User?
function system.own_user() end

--- Look up "name", "uid", "name:group" …, off the loop. ENOENT: no user, ESRCH: no group.
---@param spec string
---@param done fun(user: exhost.User?, message: string?, code: string?)
---@return true?, string?, string? queued
function system.find_user(spec, done) end

--- SIGKILL every process of ours that has the variable and no shim, off the loop.
---@param variable string NAME=value
---@param done fun(count: integer)
---@return true?, string?, string? queued
function system.sweep(variable, done) end

--- SIGKILL a process and its process group, if a control group that it is in has this word in
--- its path. ESRCH: it is gone; EXDEV: it is in none of that name; EPERM.
---@param pid integer
---@param word string
---@return true?, string?, string?
function system.kill_in_cgroup(pid, word) end

-- exhost.build ---------------------------------------------------------------------------

---@class exhost.build
---@field share string folder of lua/, backends/, policies/
---@field libexec string folder of exhost-shim
---@field version string
