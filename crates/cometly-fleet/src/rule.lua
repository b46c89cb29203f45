-- The rule of a fleet: crates/cometly-core/src/pacer/shared/lane.rs in Lua 5.1, step for step; a test holds the two together.
-- KEYS[1] is one endpoint of one Space, ARGV the integers of the events. Gives 13 integers.
-- Numbers are integers from 0 to 2^53, which is what a double counts to.

local DOCUMENTED, SHORTEST_WINDOW, LONGEST_WINDOW = 60000, 250, 900000
local LONGEST_CLOSED = 3600000
local PATIENCE, LOST = 1000, 30000
local PASSED, MOST_DOUBLED, LONG = 250, 20, 32
local LATE_OPENING, STAGGER, SLOWEST_TRIP = 1500, 2, 5000
local CLOCK_SET, FURTHEST = 1000, 3 * LONGEST_CLOSED
local MOST_AT_ONCE, KEPT_WINDOWS = 64, 2
local MOST_TIME, MOST_COUNT = 2 ^ 50, 2 ^ 20
local EVENT = 8

local NAMES = {
  'epoch', 'seen', 'window', 'limit', 'length', 'measured', 'left', 'as_of', 'opened', 'ends',
  'said_no', 'opens', 'is_aligned', 'is_early', 'emptied', 'regain', 'probes', 'under_way', 'sent', 'last_sent',
  'before', 'recent', 'earlier', 'rolled', 'strangers', 'early', 'trip', 'issued', 'served', 'passed',
}

local floor, min, max = math.floor, math.min, math.max

local function sub(a, b) return max(a - b, 0) end
-- By zero: the value that is given for it.
local function div(a, b, by_zero) if b == 0 then return by_zero end return floor(a / b) end
local function clamp(value, low, high) return max(low, min(value, high)) end
local function has(flags, flag) return floor(flags / flag) % 2 == 1 end

-- `left` and `is_early` may be unknown: held as 0, and as one more than they are.
local function read(text)
  local lane, count = {}, 0
  if type(text) ~= 'string' or #text > 1024 then return nil end
  for word in string.gmatch(text, '%S+') do
    count = count + 1
    local field = string.match(word, '^%d+$') and tonumber(word)
    if not field or field > MOST_TIME or not NAMES[count] then return nil end
    lane[NAMES[count]] = field
  end
  if count ~= #NAMES then return nil end
  lane.limit = min(lane.limit, MOST_COUNT)
  lane.length = clamp(lane.length, SHORTEST_WINDOW, LONGEST_WINDOW)
  lane.measured = clamp(lane.measured, SHORTEST_WINDOW, LONGEST_WINDOW)
  if lane.left == 0 then lane.left = nil else lane.left = min(lane.left - 1, MOST_COUNT) end
  lane.is_aligned = lane.is_aligned == 1
  if lane.is_early == 1 then lane.is_early = false elseif lane.is_early == 2 then lane.is_early = true else lane.is_early = nil end
  lane.trip = min(lane.trip, SLOWEST_TRIP)
  lane.served = max(min(lane.served, lane.issued), sub(lane.issued, MOST_COUNT))
  lane.passed = min(lane.passed, MOST_COUNT)
  return lane
end

local function left_field(lane) if lane.left then return lane.left + 1 end return 0 end

local function write(lane)
  local fields = {}
  for place, name in ipairs(NAMES) do
    local field = lane[name]
    if name == 'left' then field = left_field(lane) end
    if name == 'is_aligned' then field = field and 1 or 0 end
    if name == 'is_early' then if field == nil then field = 0 else field = field and 2 or 1 end end
    -- Not by tostring, which rounds to 14 digits.
    fields[place] = string.format('%.0f', field)
  end
  return table.concat(fields, ' ')
end

local function fresh(now, length)
  local lane = {}
  for _, name in ipairs(NAMES) do lane[name] = 0 end
  lane.epoch, lane.seen, lane.window, lane.length, lane.measured, lane.probes = now, now, 1, length, length, 1
  lane.left, lane.is_aligned, lane.is_early = nil, false, nil
  return lane
end

local function lateness(lane, now)
  if now < lane.strangers then return min(LATE_OPENING, floor(lane.length / 40)) end
  return 0
end

local function may_ask(lane) return not lane.is_aligned or lane.is_early ~= false end

local function gap_of(lane) return floor(lane.length / (floor(lane.limit / 2) + 1)) end

local function share(lane)
  local most = max(lane.limit, 1)
  if lane.left == nil or lane.is_early ~= false then return most end
  return clamp(lane.left + sub(lane.sent, lane.under_way), most - floor(most / 2), most)
end

local function opening(lane, at, ahead, waiting)
  if lane.limit == 0 then return at + ahead * STAGGER end
  local fleets = floor(ahead / lane.limit) < LONG and share(lane) or lane.limit
  local windows = floor(ahead / fleets)
  local place = sub(ahead, windows * fleets)
  local slip = lane.length + lane.trip
  if windows > 0 then return sub(at + windows * slip, floor(slip / 2)) end
  if place == 0 then return at end
  at = at + lane.trip + floor(lane.trip / 2) + 1
  local half = sub(lane.limit, floor(lane.limit / 2))
  if place < half or waiting <= lane.limit then return at + place * STAGGER end
  return at + gap_of(lane) * (sub(place, half) + 1)
end

local function turn(lane, now, ahead, waiting, may_be_early)
  if now < lane.opens then return opening(lane, lane.opens, ahead, waiting) end
  local is_crowded = now < lane.strangers
  local is_full = lane.is_aligned and not is_crowded and lane.limit > 0
  local all
  if lane.left == nil then
    all = (is_full and waiting + lane.under_way <= lane.limit) and lane.limit or lane.probes
  elseif lane.left == 0 and may_ask(lane) then
    all = 1
  else
    all = lane.left
  end
  local free = sub(all, lane.under_way)
  local since = min(max(lane.last_sent, lane.opens, lane.as_of), now)
  local answer = lane.last_sent + lane.trip + floor(lane.trip / 2)
  local soon = lane.under_way > 0 and floor(lane.trip / 4) or PASSED
  answer = max(answer, now + soon) + 1 + ahead * STAGGER
  if ahead >= free then
    local slow = lane.last_sent + max(lane.trip * 2, PATIENCE)
    local is_near = lane.limit == 0 or ahead < lane.limit
    if lane.left == nil then
      if ahead == 0 and now >= slow then return slow end
      if is_near then return answer end
      return opening(lane, now + lane.trip + lane.length, sub(ahead, lane.limit), sub(waiting, lane.limit))
    end
    if lane.left == 0 and is_near and may_ask(lane) then return answer end
    return opening(lane, lane.ends + lateness(lane, lane.ends), sub(ahead, free), sub(waiting, free))
  end
  local is_one_by_one = not lane.is_aligned or lane.is_early == true
  if waiting <= free or lane.left == nil or lane.left == 0 or (is_one_by_one and not is_crowded) then return since end
  local fast = sub(free, floor(lane.limit / 2))
  if ahead < fast then
    if not is_crowded or (lane.under_way == 0 and ahead == 0) then return since end
    return answer + ahead * lane.trip
  end
  local place = sub(ahead, fast) + 1
  local slots = sub(free, fast) + 1
  local gap = div(sub(lane.ends, lane.last_sent), slots, 0)
  local at = lane.last_sent + gap * place
  if ahead == 0 and may_be_early then return sub(at, floor(gap / 4)) end
  return at
end

local function close(lane, opens)
  lane.window = lane.window + 1
  if opens >= lane.rolled + lane.length then
    lane.earlier, lane.recent, lane.rolled = lane.recent, 0, opens
  end
  lane.opens = max(lane.opens, opens)
  lane.passed = sub(lane.passed, math.ceil(lane.passed / 4))
  lane.left, lane.probes, lane.under_way, lane.sent = nil, 1, 0, 0
end

local function open(lane, now)
  lane.opened, lane.ends = now, now + lane.length
end

local function learn(lane, length)
  length = clamp(length, SHORTEST_WINDOW, LONGEST_WINDOW)
  local low, high = min(length, lane.measured), max(length, lane.measured)
  if high < floor(lane.length / 4) * 3 then
    lane.length = high
  elseif low > floor(lane.length / 4) * 5 then
    lane.length = low
  end
  lane.measured = length
end

local function begin(lane, now)
  if lane.epoch == 0 then lane = fresh(max(now, 1), DOCUMENTED) end
  local latest = max(lane.ends, lane.opens, lane.strangers)
  if now + CLOCK_SET < lane.seen or latest > now + FURTHEST then
    local new = fresh(now, lane.length)
    new.window = lane.window + 1
    for _, name in ipairs({ 'epoch', 'limit', 'is_early', 'trip', 'issued', 'served', 'passed' }) do new[name] = lane[name] end
    lane = new
  end
  now = max(now, lane.seen)
  lane.seen = now
  if lane.left ~= nil and now >= lane.ends then close(lane, lane.ends + lateness(lane, lane.ends)) end
  if lane.left == nil and now >= lane.last_sent + LOST then lane.under_way = 0 end
  return lane, now
end

local function kept_for(lane, now)
  local last = max(lane.ends, lane.opens, lane.strangers, lane.last_sent + LOST)
  return sub(last, now) + lane.length * KEPT_WINDOWS
end

local function serve(lane, many)
  lane.served = min(lane.served + many, lane.issued)
  if lane.served == lane.issued then lane.passed = 0 end
end

local function ahead_of(lane, start)
  if start >= lane.served then return start - lane.served end
  if lane.passed == 0 then return 0 end
  return start % lane.passed
end

local function doubled(number, late, step)
  return number * 2 ^ min(div(late, step, 0), MOST_DOUBLED)
end

local function to_pass(lane, now, ahead, waiting)
  local late = sub(now, turn(lane, now, 0, waiting, false))
  local patience = PASSED
  if lane.left ~= nil and lane.left > 0 then patience = max(PASSED, gap_of(lane)) end
  local few = min(doubled(1, late, patience) - 1, max(lane.limit, 1))
  return min(doubled(few, late, floor(lane.length / 8)), ahead)
end

local function suppose(lane, length)
  if lane.limit == 0 and lane.left == nil and length > 0 then
    lane.length = clamp(length, SHORTEST_WINDOW, LONGEST_WINDOW)
    lane.measured = lane.length
  end
end

local function ask(lane, now, epoch, start, count, want)
  local is_known = epoch == lane.epoch and start + count <= lane.issued
  local said = { granted = 0, start = start, count = is_known and count or 0, wait = 0 }
  if said.count > want then
    serve(lane, said.count - want)
    said.count = want
  end
  while said.granted < want do
    local rest = want - said.granted
    if said.count == 0 then
      said.start = lane.issued
      said.count = min(rest, max(floor(lane.limit / 8), 1))
      lane.issued = lane.issued + said.count
    end
    local ahead = ahead_of(lane, said.start)
    local waiting = sub(max(sub(lane.issued, lane.served), said.count), said.count) + rest
    local passed = to_pass(lane, now, ahead, waiting)
    local at = turn(lane, now, sub(ahead, passed), waiting, true)
    if at > now or said.granted >= MOST_AT_ONCE then
      said.wait = max(sub(at, now), 1)
      break
    end
    if said.start < lane.served and lane.passed > 0 then
      lane.passed = lane.passed - 1
    else
      serve(lane, passed + 1)
      lane.passed = min(lane.passed + passed, MOST_COUNT)
    end
    said.start, said.count, said.granted = said.start + 1, sub(said.count, 1), said.granted + 1
    lane.under_way, lane.sent, lane.last_sent = lane.under_way + 1, lane.sent + 1, now
  end
  return said
end

local function unleased(lane, now, told)
  if lane.left ~= nil and told.remaining and sub(now, told.at) > lane.opened then
    lane.sent = lane.sent + 1
    lane.left = min(lane.left, told.remaining)
  end
end

local function answered(lane, now, told)
  lane.under_way = sub(lane.under_way, 1)
  lane.recent = lane.recent + 1
  local took = min(sub(now, told.at), SLOWEST_TRIP)
  if lane.trip == 0 then lane.trip = took else lane.trip = floor((lane.trip * 3 + took) / 4) end
  local remaining = told.remaining
  if not remaining then
    lane.probes = min(lane.probes + 1, MOST_COUNT)
    return
  end
  lane.limit = told.limit or max(lane.limit, remaining + 1)
  local used = sub(lane.limit, remaining)
  local in_order = told.at >= lane.as_of
  if lane.is_early ~= false and used * 4 <= lane.limit then lane.regain = floor(lane.regain / (remaining + 1)) end
  if lane.left ~= nil and in_order and remaining > lane.left then
    lane.sent = lane.under_way + 1
    local is_full = used <= lane.sent
    if is_full and lane.is_aligned then learn(lane, sub(now, lane.opened)) end
    if is_full or remaining - lane.left >= math.ceil(lane.limit / 2) then open(lane, now) end
    lane.is_aligned = is_full
    lane.before = sub(used, lane.sent)
    lane.left = remaining
  elseif lane.left ~= nil then
    lane.left = min(lane.left, remaining)
    if used > lane.before + lane.sent then
      lane.strangers = now + lane.length * 2
      lane.before = sub(used, lane.sent)
    end
  else
    open(lane, now)
    lane.is_aligned = used <= lane.sent
    if lane.is_aligned then lane.measured = lane.length end
    lane.before = sub(used, lane.sent)
    lane.left = remaining
    if lane.before > lane.recent + lane.earlier then lane.strangers = now + lane.length * 2 end
  end
  if in_order then lane.as_of = now end
  if lane.left == 0 and may_ask(lane) then
    lane.emptied = now
    local back = now + lane.regain
    if lane.is_early == true then lane.ends = max(lane.ends, back) end
    lane.opens = max(lane.opens, min(lane.ends, back))
  end
end

local function refused(lane, now, told, is_ours)
  local wait = told.wait or lane.length
  lane.limit = told.limit or lane.limit
  if not is_ours then
    lane.said_no = max(lane.said_no, now + wait)
    lane.opens = max(lane.opens, lane.said_no)
    return
  end
  if lane.left ~= nil and lane.is_aligned and told.wait then
    local length = sub(now + wait, lane.opened)
    if length > lane.length then learn(lane, length) end
  end
  local is_question = lane.left == 0
  local eighth = floor(lane.length / 8)
  if is_question then
    lane.is_early = now + wait + eighth < lane.ends
    lane.regain = sub(now + wait, lane.emptied)
  end
  if wait <= eighth then lane.early = min(lane.early + 1, MOST_DOUBLED) else lane.early = 0 end
  wait = max(wait, min(500 * 2 ^ lane.early, lane.length))
  if wait > eighth and not is_question and lane.sent <= max(lane.limit, 1) then
    lane.strangers = now + lane.length * 2
  end
  lane.said_no = max(lane.said_no, now + wait)
  close(lane, lane.said_no + lateness(lane, now))
end

local function tell(lane, now, told)
  local is_unleased = has(told.flags, 32)
  local is_ours = told.epoch == lane.epoch and told.window == lane.window and not is_unleased
  if has(told.flags, 1) then
    refused(lane, now, told, is_ours)
    return
  end
  if has(told.flags, 2) or told.remaining then lane.early = 0 end
  if is_unleased then
    unleased(lane, now, told)
  elseif is_ours then
    answered(lane, now, told)
  end
end

local clock = redis.call('TIME')
local now = min(tonumber(clock[1]) * 1000 + floor(tonumber(clock[2]) / 1000), MOST_TIME)
-- Rubbish of another type or version under the key is replaced.
local held = redis.pcall('GET', KEYS[1])
local lane = read(held) or fresh(0, DOCUMENTED)
lane, now = begin(lane, now)

local said = { granted = 0, start = 0, count = 0, wait = 0 }
local index = 1
while ARGV[index + EVENT - 1] do
  local event = {}
  for place = 1, EVENT do event[place] = min(tonumber(ARGV[index + place - 1]), MOST_TIME) end
  index = index + EVENT
  local kind, epoch, window, at, flags = unpack(event, 1, 5)
  local is_ours = epoch == lane.epoch and window == lane.window
  if kind == 1 then
    tell(lane, now, {
      epoch = epoch,
      window = window,
      at = at,
      flags = flags,
      limit = has(flags, 4) and min(event[6], MOST_COUNT) or nil,
      remaining = has(flags, 8) and min(event[7], MOST_COUNT) or nil,
      wait = has(flags, 16) and min(event[8], LONGEST_CLOSED) or nil,
    })
  elseif kind == 2 and is_ours then
    lane.under_way = sub(lane.under_way, 1)
    lane.probes = min(lane.probes + 1, MOST_COUNT)
    if lane.left ~= nil then lane.left = sub(lane.left, 1) end
  elseif kind == 3 and is_ours then
    local unsent = min(at, lane.under_way)
    lane.under_way = lane.under_way - unsent
    lane.sent = sub(lane.sent, unsent)
  elseif kind == 4 then
    suppose(lane, event[6])
    said = ask(lane, now, epoch, window, at, min(flags, MOST_COUNT))
  end
end

local keeps = kept_for(lane, now)
redis.call('SET', KEYS[1], write(lane), 'PX', string.format('%.0f', keeps))
return {
  said.granted, lane.epoch, lane.window, now, said.start, said.count, said.wait,
  sub(lane.said_no, now), lane.limit, left_field(lane), sub(lane.issued, lane.served), keeps, lane.length,
}
