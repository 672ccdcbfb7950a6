-- Writes the schedule that a script gives to wrk, in milliseconds after its first slot, and sends none:
-- `SCRIPT=wrk.lua SLOTS=file NUMBER=how_many wrk -s slots.lua URL -- RATE ARRIVALS SEED`.

dofile(os.getenv("SCRIPT"))

local script = init

function init(args)
  script(args)
  local file = assert(io.open(os.getenv("SLOTS"), "w"))
  for i = 1, tonumber(os.getenv("NUMBER")) do
    delay()
    file:write(string.format("%d\n", slots[i] - first_slot))
  end
  file:close()
  delay, request = nil, nil
end

done = nil
