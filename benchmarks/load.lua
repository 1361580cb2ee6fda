-- wrk's side of a load: POSTs the bodies of a file, a line each, in turn, and tells what came of it.

local bodies = {}
local requests = {}
local next_request = 0

function init(args)
  for line in io.lines(args[1]) do
    bodies[#bodies + 1] = line
  end
  wrk.headers["Content-Type"] = "application/json"
  for i, body in ipairs(bodies) do
    requests[i] = wrk.format("POST", nil, nil, body)
  end
end

function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end

function done(summary, latency, _)
  local failed = summary.errors.status
  local broken = summary.errors.connect + summary.errors.read + summary.errors.write
  io.write(string.format(
    'LOAD {"requests": %d, "duration_us": %d, "refused": %d, "broken": %d, "late": %d, "p50_us": %d, "p95_us": %d, "p99_us": %d}\n',
    summary.requests, summary.duration, failed, broken, summary.errors.timeout,
    latency:percentile(50), latency:percentile(95), latency:percentile(99)))
end
