'use strict'
// What a gateway has to know of the routes: which paths are the C door's, and what is limited. The
// upstream of the service itself, and everything else, stays in deploy/nginx.conf, to which two
// lines are added once; this text is written again whenever routes change.
//
//   map $uri ──> $app_shop_door, the upstream      map method and $uri ──> the key of each limit
//
// Directives: nginx.org/en/docs, ngx_http_map_module, ngx_http_limit_req_module. Maps and not
// locations: those of a location are not inherited, so that each would have to repeat all headers.

const { mapKey } = require('../../../deploy/templates/nginx.conf')

const MINUTE_MS = 60_000
const SECOND_MS = 1000
const ZONE = '1m' // about 16,000 addresses

/**
 * @param {object[]} routes
 * @param {{ app: string, door: string, fine?: boolean }} site door: where the C door listens, 127.0.0.1:4000 or
 *   unix:/run/app/http.sock
 * @returns {{ http: string, server: string }} for the context http, and for the server's
 */
function nginx (routes, { app, door, fine = false }) {
  const id = app.replaceAll('-', '_')
  const rates = ratesOf(routes, id)
  return { http: http(routes, rates, { app, id, door }), server: server(rates, { app, id, fine }) }
}

// One zone for each different limit of an address. What the core counts by user, or for all
// together, it counts alone: a gateway does not know who is logged in.
function ratesOf (routes, id) {
  const rates = new Map()
  for (const route of routes) {
    if (route.rate === null || route.rate.by !== 'ip') continue
    const { n, everyMs } = route.rate
    const key = `${n}/${everyMs}`
    if (!rates.has(key)) rates.set(key, { name: `${id}_rate_${rates.size + 1}`, n, everyMs, routes: [] })
    rates.get(key).routes.push(route)
  }
  return [...rates.values()]
}

// Never less than the core allows, which has the last word: with a burst of n more, in each time
// there is room for n. nginx knows whole numbers in a second or a minute.
function rateOf ({ n, everyMs }) {
  const perMinute = Math.max(1, Math.ceil(n * MINUTE_MS / everyMs))
  return perMinute < 60 ? `${perMinute}r/m` : `${Math.ceil(n * SECOND_MS / everyMs)}r/s`
}

function http (routes, rates, { app, id, door }) {
  const paths = [...new Set(routes.map(({ path }) => path))].sort()
  const closed = routes.filter((route) => !route.public).flatMap(requestsOf)
  const secret = routes.filter(({ method, params }) => method === 'GET' && params.some((param) => param.secret)).flatMap(requestsOf)
  return `# The routes of ${app}: written by \`npx undercroft routes --nginx http\`, goes beside the site, to
# /etc/nginx/conf.d/${app}.routes.conf. Do not edit: what is your own is in deploy/nginx.conf.

upstream ${id}_routes {
    server ${door} max_fails=0;
    keepalive 16;
    keepalive_timeout 5s;
}

# A POST is never sent twice. So it takes no connection that the door may be about to close.
upstream ${id}_posts {
    server ${door} max_fails=0;
}

map $request_method $app_${id}_routes {
    default ${id}_routes;
    POST ${id}_posts;
}

# Who answers: in \`location /\`, proxy_pass http://$app_${id}_door;
map $uri $app_${id}_door {
    default ${id};
${mapLines(paths.map((path) => [path, `$app_${id}_routes`]))}}

# What a log may have of a target: no query with a parameter that is secret.
map "$request_method $uri" $app_${id}_url {
    default $request_uri;
${mapLines(secret.map((request) => [request, '$uri']))}}

# What depends on who is logged in is in no cache that others share: in \`location /\`,
# add_header Cache-Control $app_${id}_store always;
map "$request_method $uri" $app_${id}_store {
    default "";
${mapLines(closed.map((request) => [request, 'no-store']))}}
${rates.map((rate) => zone(rate)).join('')}`
}

function requestsOf ({ method, path }) {
  return method === 'GET' ? [`GET ${path}`, `HEAD ${path}`] : [`POST ${path}`]
}

// A request whose key is empty is not counted.
function zone (rate) {
  const { name, n, everyMs, routes } = rate
  return `
# @rate ${n}/${timeText(everyMs)} ip
map "$request_method $uri" $app_${name} {
    default "";
${mapLines(routes.map(({ method, path }) => [`${method} ${path}`, '$binary_remote_addr']))}}
limit_req_zone $app_${name} zone=${name}:${ZONE} rate=${rateOf(rate)};
`
}

function server (rates, { app, id, fine }) {
  const head = `# The limits of ${app}: written by \`npx undercroft routes --nginx server\`; in the site's server block,
# include /etc/nginx/${app}.routes;
`
  const status = fine ? 429 : 400
  const limits = rates.map(({ name, n }) => `limit_req zone=${name} burst=${n} nodelay;\n`)
  return `${head}
${limits.length === 0 ? '# No route has @rate by ip.\n' : limits.join('')}limit_req_status 429;
error_page 429 = @${id}_limited;
location @${id}_limited {
    default_type text/plain;
    return ${status} "too many requests\\n";
}
`
}

function mapLines (pairs) {
  return pairs.map(([from, to]) => `    ${mapKey(from)} ${to};\n`).join('')
}

function timeText (ms) {
  for (const [unit, length] of [['d', 86_400_000], ['h', 3_600_000], ['m', MINUTE_MS], ['s', SECOND_MS]]) {
    if (ms % length === 0) return `${ms / length}${unit}`
  }
  return `${ms}ms`
}

module.exports = { nginx }
