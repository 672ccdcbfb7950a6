-- Prints what wrk counted as one line of JSON on stderr, so that stdout stays wrk's own text.
--
-- `latency` is the histogram as wrk leaves it: back-filled for coordinated omission. Nothing runs
-- while the load does: a `request` or `response` function here would cost rate.

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
    '"values_us":[', table.concat(values, ","), '],"counts":[', table.concat(counts, ","), "]}\n"
  )
end
