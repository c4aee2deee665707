'use strict'

// The unit of systemd: a template, of which each port is an instance (shop@4000.service). See
// systemd.service(5), systemd.exec(5) and systemd.resource-control(5).

/**
 * @param {object} site
 * @param {string} site.app
 * @param {string} site.folder
 * @param {string} [site.user] whom the service runs as; only in a unit of the system
 * @param {number[]} site.ports of all instances
 * @param {string} [site.runtime] 'node', 'bun' or a path
 * @param {string[]} [site.start] arguments of the runtime
 * @param {number} [site.drainMs]
 * @param {number} [site.killMs]
 * @param {'system'|'user'} [site.scope]
 * @returns {string}
 */
function unit ({ app, folder, ports, user = 'deploy', runtime = 'node', start = ['server.js'], drainMs = 30_000, killMs = 5_000, scope = 'system' }) {
  const isSystem = scope === 'system'
  // Longer than the service takes by itself, so that it is the service that decides what is cut off.
  const stopSeconds = Math.ceil((drainMs + killMs) / 1000) + 5
  const program = runtime.startsWith('/') ? runtime : `/usr/bin/env ${runtime}`
  const place = isSystem ? `/etc/systemd/system/${app}@.service` : `~/.config/systemd/user/${app}@.service`
  return `# ${app} on one port; the part of the name behind the @ is the port. Goes to ${place}.
#
# A deployment starts and stops the instances, and says by <folder>/.deploy/slots/<port> and <port>.env
# which release an instance runs and with which environment. ExecStart is as runtime and start of
# deploy.config.js have it.
${isSystem && user !== 'root' ? sudoers(app, user, ports) : ''}
[Unit]
Description=${app} on port %i
${isSystem ? 'Wants=network-online.target\nAfter=network-online.target\n' : ''}# A service that fails at once is tried again for a while, and then left alone.
StartLimitIntervalSec=60
StartLimitBurst=10

[Service]
Type=exec
${isSystem ? `User=${user}\n` : ''}WorkingDirectory=${escaped(folder)}/.deploy/slots/%i
EnvironmentFile=${escaped(folder)}/.deploy/slots/%i.env
# A service that was killed has left its socket behind, and not every service replaces it.
ExecStartPre=-/bin/rm -f \${UNDERCROFT_SOCKET}
ExecStart=${[program, ...start.map((word) => argument(word).replaceAll('$', '$$$$'))].join(' ')}
Restart=on-failure
RestartSec=500ms

# SIGTERM goes to the service alone, which drains; what is left after that of it and of what it has
# started gets SIGKILL.
KillMode=mixed
KillSignal=SIGTERM
TimeoutStopSec=${stopSeconds}
TimeoutStartSec=60

# It may listen on these ports and on unix sockets. That it listens on 127.0.0.1 is checked before it gets
# any traffic.
${isSystem ? 'SocketBindDeny=any\n' + ports.map((port) => `SocketBindAllow=ipv4:tcp:${port}\n`).join('') : ''}RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
# A service that calls nobody outside of this machine need not be able to:
# IPAddressDeny=any
# IPAddressAllow=localhost

NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
UMask=0027
LimitNOFILE=65536
${isSystem
    ? `CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths=${argument(`${folder}/shared`)} ${argument(`${folder}/run`)}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictNamespaces=yes
# Not MemoryDenyWriteExecute: the compilers of Node and Bun write what they execute.
`
    : ''}
[Install]
WantedBy=${isSystem ? 'multi-user.target' : 'default.target'}
`
}

// What the user of the deployment has to be allowed, with systemd: { sudo: true }. Each command in full: a
// wildcard of sudoers(5) matches spaces, and with them the names of other units.
function sudoers (app, user, ports) {
  const verbs = ['start', 'stop --no-block', 'kill --kill-who\\=all --signal\\=SIGKILL', 'reset-failed', 'enable --quiet', 'disable --quiet']
  const line = (verb) => ports.map((port) => `/usr/bin/systemctl ${verb} ${app}@${port}.service`).join(', ')
  return `#
# ${user} starts and stops them through sudo: /etc/sudoers.d/${app} allows that, and nothing else. The journal
# of the service is read by members of the group systemd-journal.
${verbs.map((verb) => `#   ${user} ALL=(root) NOPASSWD: ${line(verb)}\n`).join('')}`
}

// % begins a specifier in every value of a unit.
function escaped (text) {
  return text.replaceAll('%', '%%')
}

// A word of a list or, where $ begins a variable, of a command line: systemd.syntax(7), systemd.service(5).
function argument (word) {
  const text = escaped(word)
  return /^[A-Za-z0-9_@%+=:,./$-]+$/.test(text) ? text : `"${text.replace(/[\\"]/g, '\\$&')}"`
}

module.exports = unit
