'use strict'

// A real systemd, as the first process of namespaces of its own, with no units but those that a test puts
// there: nothing of this machine is started or changed. Needs root.

const fs = require('node:fs')
const path = require('node:path')
const { spawn, spawnSync } = require('node:child_process')
const helper = require('../../helper')

const SYSTEMD = '/lib/systemd/systemd'

// What a service's default dependencies name, and what it takes to have a journal.
const TARGETS = ['basic', 'default', 'sysinit', 'shutdown', 'multi-user']
const JOURNAL = ['systemd-journald.service', 'systemd-journald.socket', 'systemd-journald-dev-log.socket']

/**
 * @param {object} t
 * @param {string} folder of the test
 * @returns {Promise<{ units: string, inside: string[], run(...args) }|string>} a reason when there can be none.
 *   `units`: the folder for unit files; `inside`: the words before a command that runs in its namespaces
 */
async function startSystemd (t, folder) {
  if (process.getuid() !== 0) return 'it needs root'
  if (!fs.existsSync(SYSTEMD)) return `there is no ${SYSTEMD}`
  const units = path.join(folder, 'units')
  fs.mkdirSync(units)
  for (const name of TARGETS) fs.writeFileSync(path.join(units, `${name}.target`), `[Unit]\nDescription=${name}\n`)
  for (const name of JOURNAL) if (fs.existsSync(`/lib/systemd/system/${name}`)) fs.copyFileSync(`/lib/systemd/system/${name}`, path.join(units, name))
  const script = [
    'set -e',
    'mount -t tmpfs tmpfs /run',
    'mkdir -p /run/systemd /run/log/journal',
    'mount -t tmpfs tmpfs /var/log',
    'echo 0123456789abcdef0123456789abcdef > /run/machine-id',
    'mount --bind /run/machine-id /etc/machine-id',
    // What is enabled is written there, and read from nowhere else.
    `mount --bind ${units} /etc/systemd/system`,
    'umount -R /sys/fs/cgroup || true',
    'mount -t cgroup2 cgroup2 /sys/fs/cgroup',
    `exec env container=undercroft SYSTEMD_UNIT_PATH=/etc/systemd/system ${SYSTEMD} --log-level=warning --log-target=console --unit=multi-user.target`
  ].join('\n')
  const child = spawn('unshare', ['--kill-child', '--fork', '--mount', '--pid', '--cgroup', '--uts', '--mount-proc', 'sh', '-c', script], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { said += text })
  const over = new Promise((resolve) => child.once('close', resolve))
  t.teardown(() => {
    child.kill('SIGKILL')
    return over
  })
  let pid = null
  const first = () => {
    pid ??= Number(fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').split(' ')[0]) || null
    return pid
  }
  const enter = () => ['nsenter', '-t', String(pid), '-m', '-p', '-C', '-u']
  const run = (...args) => {
    const [file, ...rest] = [...enter(), ...args]
    return spawnSync(file, rest, { encoding: 'utf8', timeout: 30_000 })
  }
  try {
    await helper.until(() => child.exitCode !== null || (first() !== null && /running|degraded/.test(run('systemctl', 'is-system-running').stdout)), 'systemd', 20_000)
  } catch {
    return `it does not come up here: ${said.slice(-300)}`
  }
  if (child.exitCode !== null) return `it ended with code ${child.exitCode}: ${said.slice(-300)}`
  run('systemctl', 'start', 'systemd-journald.service')
  return { units, inside: enter(), run }
}

module.exports = { startSystemd }
