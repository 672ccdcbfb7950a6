-- Prints what wrk counted as one line of JSON on stderr, so that stdout stays wrk's own text.
--
-- `latency` is the histogram as wrk leaves it: back-filled for coordinated omission. Nothing runs
-- while a closed loop does, unless it has several requests: a `request` or `response` function costs
-- rate.
--
-- Where LOADTEST_REQUESTS names a file, what is sent are the whole requests in it, in turn: each as
-- it is, behind a line with its length.
--
-- Where LOADTEST_GO names a descriptor, a line goes there when all is ready, and the load begins at
-- the instant that comes back: several generators begin together, however long each took to start.
--
-- With arguments, `RATE ARRIVALS SEED`, it makes an open loop: wrk asks `delay` for each connection as
-- it becomes free, at the start as well, and sends for it after so many milliseconds. Each free
-- connection gets the next slot of one schedule; how late each was sent is counted. (Which latency is
-- of which slot nobody says: neither `delay` nor `request` nor `response` is told of its connection.)
-- With two more, `NUMBER OF`, the schedule is shared with others: this one takes every `OF`th slot,
-- from `NUMBER` on, counted from 0.

-- wrk's API finds the i-th bin by walking from the first one, so reading all of them takes
-- bins x range steps: minutes for a wide distribution. LuaJIT can walk wrk's own array once.
local function walk(latency)
  local ok, ffi = pcall(require, "ffi")
  if not ok then return nil end
  ffi.cdef("typedef struct { uint64_t count, limit, min, max; uint64_t data[]; } loadtest_stats;")
  local stats = ffi.cast("loadtest_stats **", latency)[0]
  -- Trust the layout (wrk 4.0 to 4.2) only as far as it agrees with the API.
  if tonumber(stats.min) ~= latency.min or tonumber(stats.max) ~= latency.max then return nil end
  if stats.max >= stats.limit then return nil end
  local values, counts = {}, {}
  for value = latency.min, latency.max do
    local count = tonumber(stats.data[value])
    if count > 0 then
      values[#values + 1] = string.format("%.0f", value)
      counts[#counts + 1] = string.format("%.0f", count)
    end
  end
  if #values ~= #latency then return nil end
  return values, counts
end

local function ask(latency)
  local values, counts = {}, {}
  for i = 1, #latency do
    local value, count = latency(i)
    values[i] = string.format("%.0f", value)
    counts[i] = string.format("%.0f", count)
  end
  return values, counts
end

local function histogram(latency)
  -- Without a sample wrk's min is 2^64 - 1 and its max 0.
  if #latency == 0 then return {}, {} end
  local values, counts = walk(latency)
  if values then return values, counts end
  return ask(latency)
end

-- wrk notes a rate at the end of each tenth of a second in which an answer came and nothing for the
-- others (`record_rate` in its wrk.c), so the silent ones are those that are missing.
local function windows(duration_us, requests)
  local noted = 0
  for i = 1, #requests do
    local _, count = requests(i)
    noted = noted + count
  end
  local all = math.max(noted, math.floor(duration_us / 100000))
  return all, all - noted
end

local LEAD_MS = 200 -- connections open before the first slot

-- In whole milliseconds of the clock that wrk's timers go by: a slot is one of them, and a timer for
-- it ends in it. Against another clock, or in parts, it would be one earlier or later at random.
local TIME =
  "typedef struct { long s; long ns; } loadtest_time; int clock_gettime(int, loadtest_time *);"

local function clock_us()
  local ffi = require("ffi")
  pcall(ffi.cdef, TIME)
  local at = ffi.new("loadtest_time")
  return function()
    ffi.C.clock_gettime(0, at) -- CLOCK_REALTIME, on Linux and macOS
    return tonumber(at.s) * 1e6 + math.floor(tonumber(at.ns) / 1e3)
  end
end

local function clock()
  local now_us = clock_us()
  return function() return math.floor(now_us() / 1000) end
end

local SPIN_US = 1000 -- by so much a sleep may be too long

-- Returns the instant at which to begin, once it has come; nil where nobody is waited for.
local function begin_together()
  local go = tonumber(os.getenv("LOADTEST_GO") or "")
  if not go then return nil end
  local ffi, now_us = require("ffi"), clock_us()
  ffi.cdef([[
    long read(int, void *, size_t);
    long write(int, const void *, size_t);
    int usleep(unsigned int);
  ]])
  ffi.C.write(go, "\n", 1)
  local line = ffi.new("char[32]")
  local length = tonumber(ffi.C.read(go, line, 32))
  local at_us = length > 0 and tonumber(ffi.string(line, length))
  if not at_us then os.exit(1) end -- who was to say it has gone
  local left_us = at_us - now_us()
  -- Less than a second at once is what usleep has to take.
  while left_us > SPIN_US do
    ffi.C.usleep(math.min(left_us - SPIN_US, 500000))
    left_us = at_us - now_us()
  end
  while now_us() < at_us do end
  return at_us
end

-- wrk sleeps for whole milliseconds, from wherever it is in one: it would wake anywhere in that of a
-- slot, or after it. A timer among what it waits for (Linux) wakes it at the beginning.
local function alarm()
  local ffi = require("ffi")
  if ffi.os ~= "Linux" then return function() end end
  ffi.cdef([[
    typedef struct { loadtest_time every, at; } loadtest_alarm;
    typedef struct { uint32_t events; uint64_t data; } ]]
    .. (ffi.arch == "x64" and "__attribute__((packed))" or "") .. [[ loadtest_event;
    int timerfd_create(int, int);
    int timerfd_settime(int, int, const loadtest_alarm *, loadtest_alarm *);
    int epoll_ctl(int, int, int, loadtest_event *);
  ]])
  local realtime, absolute, nonblocking = 0, 1, 2048
  local timer = ffi.C.timerfd_create(realtime, nonblocking)
  -- On its edge, as nobody reads it: wrk knows no such descriptor and passes over it.
  local event = ffi.new("loadtest_event", 2 ^ 31 + 1, timer)
  local epoll = 0
  -- The only one that there is. It has room for 13 descriptors, and more with each connection.
  while epoll < 13 and (timer >= 13 or ffi.C.epoll_ctl(epoll, 1, timer, event) ~= 0) do
    epoll = epoll + 1
  end
  local set = ffi.new("loadtest_alarm")
  return function(ms)
    set.at.s = math.floor(ms / 1000)
    set.at.ns = ms % 1000 * 1e6
    ffi.C.timerfd_settime(timer, absolute, set, nil)
  end
end

local thread
function setup(of) thread = of end -- in wrk's own state, where `done` runs; the rest is the thread's

-- Global, so that `done` can read them from the thread. Times are of the clock, in milliseconds.
sent, late_ms = 0, {} -- requests, and how many of them were sent so many milliseconds late
missed = 0 -- slots that had passed before a connection was free
slots = {} -- those that are given out and not sent, in order
next_slot = nil -- the first that is not given out
began, first_slot = nil, nil -- the load, and its schedule
began_us = nil -- of the load, where it began together with others
slot_gap_ms = nil -- between the slots of this generator

local function given_requests()
  local requests, path = {}, os.getenv("LOADTEST_REQUESTS")
  if not path then return requests end
  local file = assert(io.open(path, "rb"))
  local length = file:read("*n")
  while length do
    file:read(1) -- the end of its line
    requests[#requests + 1] = file:read(length)
    length = file:read("*n")
  end
  file:close()
  return requests
end

function init(args)
  local requests, turn = given_requests(), 0
  if #requests == 0 then requests[1] = wrk.format() end

  local function next_request()
    turn = turn % #requests + 1
    return requests[turn]
  end

  wrk.format = next_request -- wrk asks once for what it sends again and again
  if #requests > 1 then request = next_request end
  if #args == 0 then
    if begin_together() then began_us = clock_us()() end
    return
  end
  local now_ms, wake_at, even = clock(), alarm(), args[2] == "even"
  math.randomseed(tonumber(args[3]))
  local number, of = tonumber(args[4] or 0), tonumber(args[5] or 1)
  local per_ms = tonumber(args[1]) / 1000 -- requests, of all who share the schedule
  slot_gap_ms = of / per_ms

  local function random_gap_ms() return -math.log(1 - math.random()) * slot_gap_ms end

  -- Slots that were given out, and when the next one is in the schedule. What several send at random
  -- each for itself is at random together.
  local given, at_ms = 0, even and number / per_ms or number > 0 and random_gap_ms() or 0
  local together_us = begin_together()
  if together_us then began_us = clock_us()() end
  began = now_ms()
  local origin = together_us and math.floor(together_us / 1000) + LEAD_MS

  function delay()
    local now = now_ms()
    origin = origin or now + LEAD_MS
    local slot = next_slot or origin + math.floor(at_ms + 0.5)
    first_slot = first_slot or slot
    given = given + 1
    slots[given] = slot
    if slot < now then missed = missed + 1 end
    -- A sum of many gaps would drift.
    at_ms = even and (number + given * of) / per_ms or at_ms + random_gap_ms()
    next_slot = origin + math.floor(at_ms + 0.5)
    if given == sent + 1 then wake_at(slot) end
    return math.max(0, slot - now)
  end

  -- Slots are sent in their order, as their timers end in it.
  function request()
    local now, slot = now_ms(), slots[sent + 1]
    -- wrk looks at one before it begins, and a connection that broke off asks again without a slot.
    if not slot or slot > now then return next_request() end
    sent = sent + 1
    slots[sent] = nil
    local following = slots[sent + 1]
    if following and following > now then wake_at(following) end
    local late = now - slot
    late_ms[late] = (late_ms[late] or 0) + 1
    return next_request()
  end
end

-- Of wrk itself, and not of who started it; nothing where it is not known.
local function used()
  local ok, ffi = pcall(require, "ffi")
  if not ok then return "" end
  pcall(ffi.cdef, TIME)
  local at = ffi.new("loadtest_time")
  ffi.C.clock_gettime(ffi.os == "OSX" and 12 or 2, at) -- CLOCK_PROCESS_CPUTIME_ID
  return string.format('"cpu_us":%.0f,', tonumber(at.s) * 1e6 + tonumber(at.ns) / 1e3)
end

local function instant()
  local at_us = thread:get("began_us")
  return at_us and string.format('"began_us":%.0f,', at_us) or ""
end

local function schedule(duration_us, latency)
  local requests = thread:get("sent")
  if requests == 0 then return "" end
  local began, missed, late_ms = thread:get("began"), thread:get("missed"), thread:get("late_ms")
  local ended = began + math.floor(duration_us / 1000)
  -- What was to be sent by then and was not is as late as that.
  local function unsent(slot)
    local late = ended - math.floor(slot)
    late_ms[late] = (late_ms[late] or 0) + 1
  end
  for _, slot in pairs(thread:get("slots")) do
    if slot < ended then unsent(slot) end
  end
  local slot, gap = thread:get("next_slot"), thread:get("slot_gap_ms")
  while slot < ended do
    unsent(slot)
    missed = missed + 1
    slot = slot + gap
  end
  local values, counts = {}, {}
  for late in pairs(late_ms) do values[#values + 1] = late end
  table.sort(values)
  for i, late in ipairs(values) do
    counts[i] = string.format("%.0f", late_ms[late])
    values[i] = string.format("%.0f", late * 1000)
  end
  return string.format(
    '"sent":{"window_us":%.0f,"first_answer_us":%.0f,"requests":%.0f,"missed":%.0f,'
      .. '"late":{"values_us":[%s],"counts":[%s]}},',
    duration_us - (thread:get("first_slot") - began) * 1000, #latency > 0 and latency.min or 0,
    requests, missed, table.concat(values, ","), table.concat(counts, ",")
  )
end

function done(summary, latency, requests)
  local values, counts = histogram(latency)
  local all, silent = windows(summary.duration, requests)
  local errors = summary.errors
  io.stderr:write(
    string.format(
      '{"duration_us":%.0f,"answers":%.0f,"received_bytes":%.0f,"connect_errors":%.0f,'
        .. '"read_errors":%.0f,"write_errors":%.0f,"status_errors":%.0f,"timeouts":%.0f,'
        .. '"windows":%.0f,"silent_windows":%.0f,',
      summary.duration, summary.requests, summary.bytes, errors.connect,
      errors.read, errors.write, errors.status, errors.timeout, all, silent
    ),
    used(),
    instant(),
    schedule(summary.duration, latency),
    '"values_us":[', table.concat(values, ","), '],"counts":[', table.concat(counts, ","), "]}\n"
  )
end
