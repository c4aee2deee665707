'use strict'

// The gateway's configuration, for the http block of nginx (/etc/nginx/conf.d/<app>.conf). The same text
// is written by `deploy init` and served by the tests. Directives: nginx.org/en/docs, ngx_http_*_module.

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
 * @returns {string}
 */
function nginxConf ({ app, folder, ports, instances = 1, mode = 'socket', origins = [], listen = '80', serverName = '_', body = '10m', logs = '/var/log/nginx' }) {
  const id = app.replaceAll('-', '_')
  // $2048_origin would be read as $2, what a pattern has captured, and "048_origin".
  const variable = `$app_${id}`
  const upstream = mode === 'ports' ? portServers(ports) : `${socketServers(folder, instances)}\n${portsInstead(ports)}`
  return `# The gateway of ${app}: belongs to ${folder}, goes to /etc/nginx/conf.d/${app}.conf.
#
# A deployment does not reload nginx. ${mode === 'ports'
    ? 'Both ports are known here; the one that nobody listens on is passed over.'
    : 'The sockets are links that a deployment points at the\n# next release, in one step; connections that nginx holds open to the old one end by themselves.'}

log_format ${id}_json escape=json
    '{"time":"$time_iso8601","reqId":"$request_id","method":"$request_method","host":"$host",'
    '"url":"$request_uri","status":$status,"bytes":$body_bytes_sent,"in":$request_length,'
    '"seconds":$request_time,"upstream":"$upstream_addr","upstreamStatus":"$upstream_status",'
    '"upstreamSeconds":"$upstream_response_time","connectSeconds":"$upstream_connect_time",'
    '"client":"$remote_addr","agent":"$http_user_agent","referer":"$http_referer"}';

# The origins that may call from a browser, exactly as browsers send them: scheme, host, port.
map $http_origin ${variable}_origin {
    default "";
${origins.map((origin) => `    ${quoted(origin)} $http_origin;\n`).join('')}}

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

upstream ${id} {
${upstream}
    keepalive 16;
    # Less than what the service waits for on an idle connection, so that it is always nginx that closes
    # it, and never just when a request is on its way; and less than drainMs.
    keepalive_timeout 5s;
}

server {
    listen ${listen};
    # "_" is nobody's name: this server answers if it is the first of its port, and none is the default_server,
    # as Debian's sites-enabled/default is. Remove that, or write the names of the service here.
    server_name ${serverName};
    server_tokens off;
    client_max_body_size ${body};

    # deploy/logrotate.conf rotates both. Not *.log: the rules of the distribution take those.
    access_log ${logs}/${app}.access.json ${id}_json;
    error_log ${logs}/${app}.error warn;

    location / {
        add_header Access-Control-Allow-Origin ${variable}_origin always;
        add_header Vary Origin always;
        if (${variable}_preflight) {
            add_header Access-Control-Allow-Origin ${variable}_origin always;
            add_header Access-Control-Allow-Methods "GET, HEAD, POST, PUT, PATCH, DELETE" always;
            add_header Access-Control-Allow-Headers $http_access_control_request_headers always;
            add_header Access-Control-Max-Age 600 always;
            add_header Vary Origin always;
            return 204;
        }
        # Cookies across origins: add_header Access-Control-Allow-Credentials true always; at both places.

        proxy_pass http://${id};
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

function quoted (text) {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`
}

module.exports = nginxConf
