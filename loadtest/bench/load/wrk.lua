-- Prints what wrk counted as one line of JSON on stderr, so that stdout stays wrk's own text.
--
-- `latency` is the histogram as wrk leaves it: back-filled for coordinated omission. Nothing runs
-- while a closed loop does: a `request` or `response` function here would cost rate.
--
-- With arguments, `RATE ARRIVALS SEED`, it makes an open loop: wrk asks `delay` for each connection as
-- it becomes free, at the start as well, and sends for it after so many milliseconds. Each free
-- connection gets the next slot of one schedule; how late each was sent is counted.

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

local function clock()
  local ffi = require("ffi")
  ffi.cdef("typedef struct { long s; long ns; } loadtest_time; int clock_gettime(int, loadtest_time *);")
  local at, monotonic = ffi.new("loadtest_time"), ffi.os == "OSX" and 6 or 1
  return function()
    ffi.C.clock_gettime(monotonic, at)
    return tonumber(at.s) * 1e3 + tonumber(at.ns) * 1e-6
  end
end

local thread
function setup(of) thread = of end -- in wrk's own state, where `done` runs; the rest is the thread's

-- Global, so that `done` can read them from the thread.
sent, late_ms = 0, {} -- requests, and how many of them were sent so many whole milliseconds late
missed = 0 -- slots that had passed before a connection was free
lead_ms = 0 -- from wrk's start to the first slot

function init(args)
  if #args == 0 then return end
  local now_ms, per_ms, even = clock(), tonumber(args[1]) / 1000, args[2] == "even"
  math.randomseed(tonumber(args[3]))
  local request_text
  local began_ms, first_ms = now_ms(), nil -- of the load, and of its schedule
  local slot, at_ms = 0, 0 -- the next one, after the first
  local slots = {} -- those that are given out and not sent, in order

  function delay()
    local now = now_ms()
    if not first_ms then
      first_ms = now + LEAD_MS
      lead_ms = first_ms - began_ms
    end
    local due = first_ms + at_ms
    slot = slot + 1
    slots[slot] = due
    if due < now - 1 then missed = missed + 1 end
    -- A sum of many gaps would drift.
    at_ms = even and slot / per_ms or at_ms - math.log(1 - math.random()) / per_ms
    return math.max(0, math.floor(due - now + 0.5))
  end

  -- Slots are sent in their order, as their timers end in it.
  function request()
    request_text = request_text or wrk.format()
    local now, due = now_ms(), slots[sent + 1]
    -- wrk looks at one before it begins, and a connection that broke off asks again without a slot.
    if not due or due > now + 2 then return request_text end
    sent = sent + 1
    slots[sent] = nil
    -- wrk sleeps for whole milliseconds, so half of one either way is no delay.
    local late = math.max(0, math.floor(now - due + 0.5))
    late_ms[late] = (late_ms[late] or 0) + 1
    return request_text
  end
end

local function schedule(duration_us)
  local requests = thread:get("sent")
  if requests == 0 then return "" end
  local values, counts = {}, {}
  for late, count in pairs(thread:get("late_ms")) do values[#values + 1] = late; counts[late] = count end
  table.sort(values)
  local in_order = {}
  for i, late in ipairs(values) do in_order[i] = counts[late]; values[i] = late * 1000 end
  return string.format(
    '"sent":{"window_us":%.0f,"requests":%.0f,"missed":%.0f,"late":{"values_us":[%s],"counts":[%s]}},',
    duration_us - thread:get("lead_ms") * 1000, requests, thread:get("missed"),
    table.concat(values, ","), table.concat(in_order, ",")
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
    schedule(summary.duration),
    '"values_us":[', table.concat(values, ","), '],"counts":[', table.concat(counts, ","), "]}\n"
  )
end
