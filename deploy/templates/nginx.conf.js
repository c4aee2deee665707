'use strict'

// The gateway's configuration, for the http block of nginx (/etc/nginx/conf.d/<app>.conf). The same text
// is written by `deploy init` and served by the tests. Directives: nginx.org/en/docs, ngx_http_*_module.

const crypto = require('node:crypto')

/**
 * @param {object} site
 * @param {string} site.app
 * @param {string} site.folder the app's folder on the host
 * @param {number[]} site.ports two for each instance
 * @param {number} [site.instances]
 * @param {'socket'|'ports'} [site.mode] how traffic is switched
 * @param {string[]} [site.origins] of front-ends that may call from a browser: 'https://www.example.com'
 * @param {string} [site.listen]
 * @param {string} [site.serverName]
 * @param {string} [site.body] the largest body of a request
 * @param {string} [site.logs] the folder of the gateway's logs
 * @param {number} [site.perSecond] requests of one address; twice as many at once
 * @param {{ http: string, server: string }} [site.routes] what the daemon answers: lib/cli/routes/nginx.js
 * @param {string} [site.own] the block of one's own, as readOwn() has it
 * @returns {string}
 */
function nginxConf (site) {
  const text = textOf({ instances: 1, mode: 'socket', origins: [], listen: '80', serverName: '_', body: '10m', logs: '/var/log/nginx', perSecond: 100, routes: null, own: null, ...site })
  return `${text}${SUM}${sumOf(text)}\n`
}

function textOf ({ app, folder, ports, instances, mode, origins, listen, serverName, body, logs, perSecond, routes, own }) {
  const id = app.replaceAll('-', '_')
  // $2048_origin would be read as $2, what a pattern has captured, and "048_origin".
  const variable = `$app_${id}`
  const upstream = mode === 'ports' ? portServers(ports) : `${socketServers(folder, instances)}\n${portsInstead(ports)}`
  const door = routes === null ? id : `${variable}_door`
  return `# The gateway of ${app}: belongs to ${folder}, goes to /etc/nginx/conf.d/${app}.conf.
#
# \`npx undercroft deploy init\` writes it again, ${routes === null ? '' : 'whenever routes have changed, '}and keeps the block of your own in it. Where something
# else has been changed, it does so only with --force.
#
# A deployment does not reload nginx. ${mode === 'ports'
    ? 'Both ports are known here; the one that nobody listens on is passed over.'
    : 'The sockets are links that a deployment points at the\n# next release, in one step; connections that nginx holds open to the old one end by themselves.'}

log_format ${id}_json escape=json
    '{"time":"$time_iso8601","reqId":"$request_id","method":"$request_method","host":"$host",'
    '"url":"${routes === null ? '$request_uri' : `${variable}_url`}","status":$status,"bytes":$body_bytes_sent,"in":$request_length,'
    '"seconds":$request_time,"upstream":"$upstream_addr","upstreamStatus":"$upstream_status",'
    '"upstreamSeconds":"$upstream_response_time","connectSeconds":"$upstream_connect_time",'
    '"client":"$remote_addr","agent":"$http_user_agent","referer":"${variable}_referer"}';

# The page that a request came from, without its query, which may hold a secret.
map $http_referer ${variable}_referer {
    default $http_referer;
    "~^(?<app_${id}_page>[^?]*)\\?" ${variable}_page;
}

# POSTs have a log of their own as well: who has changed something.
map $request_method ${variable}_post {
    default 0;
    POST 1;
}

# Of one address.
limit_req_zone $binary_remote_addr zone=${id}_each:10m rate=${perSecond}r/s;

# The origins that may call from a browser, exactly as browsers send them: scheme, host, port.${routes === null ? '' : ' Routes answer for themselves.'}
map ${routes === null ? '$http_origin' : `"${variable}_door $http_origin"`} ${variable}_origin {
    default "";
${origins.map((origin) => `    ${mapKey(routes === null ? origin : `${id} ${origin}`)} $http_origin;\n`).join('')}}

# A preflight of one of them (fetch.spec.whatwg.org, CORS protocol), which nginx answers by itself.
map "$request_method $http_access_control_request_method ${variable}_origin" ${variable}_preflight {
    default 0;
    "~^OPTIONS \\S+ \\S" 1;
}

# Connections to the service stay open, unless the client wants another protocol (WebSocket).
map $http_upgrade ${variable}_connection {
    default upgrade;
    "" "";
}

${routes === null ? '' : `${routes.http}\n`}upstream ${id} {
${upstream}
    keepalive 16;
    # Less than what the service waits for on an idle connection, so that it is always nginx that closes
    # it, and never just when a request is on its way; and less than drainMs.
    keepalive_timeout 5s;
}

server {
${OWN.begin}
${own ?? `    listen ${listen};
    # "_" is nobody's name: this server answers if it is the first of its port, and none is the default_server,
    # as Debian's sites-enabled/default is. Remove that, or write the names of the service here.
    server_name ${serverName};
    client_max_body_size ${body};`}
${OWN.end}
    server_tokens off;

    # deploy/logrotate.conf rotates them. Not *.log: the rules of the distribution take those.
    access_log ${logs}/${app}.access.json ${id}_json;
    access_log ${logs}/${app}.posts.json ${id}_json if=${variable}_post;
    error_log ${logs}/${app}.error warn;

    limit_req zone=${id}_each burst=${2 * perSecond} nodelay;
${routes === null ? '    limit_req_status 429;' : routes.server.replace(/^(?=.)/gm, '    ')}

    location / {
        add_header Access-Control-Allow-Origin ${variable}_origin always;
        add_header Vary Origin always;
        # Of all answers, also where nobody is behind this one.
        add_header X-Request-Id $request_id always;
        proxy_hide_header X-Request-Id;
${routes === null ? '' : `        add_header Cache-Control ${variable}_store always;\n`}        if (${variable}_preflight) {
            add_header Access-Control-Allow-Origin ${variable}_origin always;
            add_header Access-Control-Allow-Methods "GET, HEAD, POST, PUT, PATCH, DELETE" always;
            add_header Access-Control-Allow-Headers $http_access_control_request_headers always;
            add_header Access-Control-Max-Age 600 always;
            add_header Vary Origin always;
            return 204;
        }
        # Cookies across origins: add_header Access-Control-Allow-Credentials true always; at both places.

        proxy_pass http://${door};
        proxy_http_version 1.1;
        proxy_set_header Connection ${variable}_connection;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Host $http_host;
        proxy_set_header X-Request-Id $request_id;
        # What clients say of themselves is not passed on. Behind another proxy: see ngx_http_realip_module.
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_connect_timeout 2s;
        proxy_send_timeout 60s;
        proxy_read_timeout 60s;
        # The next one is asked when a connection fails; a POST that may have arrived is never sent again.
        proxy_next_upstream error timeout;
        proxy_next_upstream_tries ${mode === 'ports' ? ports.length : Math.max(2, instances)};
    }
}
`
}

// ---- what is one's own --------------------------------------------------------------------------

const OWN = {
  begin: '    # ---- your own: names, listeners, certificates, locations; kept whenever this file is written again ----',
  end: '    # ---- the end of your own ----'
}
const SUM = '# sum: '

/** What stands in the block of one's own; null: the file has none. @param {string} text */
function readOwn (text) {
  const [, own] = text.split(`${OWN.begin}\n`, 2)
  const at = own === undefined ? -1 : own.indexOf(`\n${OWN.end}\n`)
  return at < 0 ? null : own.slice(0, at)
}

/** Whether nothing but that block has been changed since it was written. @param {string} text */
function isOurs (text) {
  const at = text.lastIndexOf(SUM)
  return readOwn(text) !== null && at >= 0 && text.slice(at + SUM.length).trim() === sumOf(text.slice(0, at))
}

/** The origins that it has. @param {string} text */
function readOrigins (text) {
  return [...text.matchAll(/^ {4}"(?:~\^)?(?:\w+ )?(https?:\/\/[^"]+?)\$?" \$http_origin;$/gm)].map(([, origin]) => origin.replaceAll('\\', ''))
}

function sumOf (text) {
  const own = readOwn(text)
  return crypto.createHash('sha256').update(own === null ? text : text.replace(`${OWN.begin}\n${own}\n`, () => `${OWN.begin}\n`)).digest('hex').slice(0, 16)
}

function socketServers (folder, instances) {
  const servers = Array.from({ length: instances }, (_, i) =>
    `    server unix:${folder}/run/${i === 0 ? 'app' : `app-${i}`}.sock${instances === 1 ? '' : ' max_fails=1 fail_timeout=1s'};`)
  return servers.join('\n')
}

// The other way, for who wants it: switch: 'ports' in the configuration.
function portsInstead (ports) {
  return `    # With switch: 'ports', instead:\n${portServers(ports).replace(/^ {4}/gm, '    # ')}`
}

// max_fails=0: the port of the release to come fails until it is there, and must not be avoided then.
function portServers (ports) {
  return ports.map((port) => `    server 127.0.0.1:${port} max_fails=0;`).join('\n')
}

// What fits into the 64 bytes that nginx has for it, without map_hash_bucket_size, which others may have set.
const KEY_MOST = 40

/** A key of a map that means itself: as ~ at its beginning, or the word default, it would mean something else. */
function mapKey (text) {
  if (text.length <= KEY_MOST) return `"${text.replace(/[\\"]/g, '\\$&')}"`
  return `"~^${text.replace(/[.*+?^${}()|[\]\\"]/g, '\\$&')}$"`
}

module.exports = Object.assign(nginxConf, { isOurs, mapKey, readOrigins, readOwn })
