-- What wrk itself has no option for: wrk -s wrk.lua URL -- DEPTH [BODY]
-- DEPTH requests are sent at a time; with a BODY, of JSON, they are POSTs.
-- The bytes are made once: wrk then spends no time on Lua while it runs.

function init (args)
  local depth, body = tonumber(args[1]), args[2]
  local format = wrk.format
  if body then
    wrk.method = "POST"
    wrk.body = body
    wrk.headers["Content-Type"] = "application/json"
  end
  wrk.format = function ()
    return string.rep(format(), depth)
  end
end
