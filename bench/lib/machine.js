'use strict'

// What the figures were measured on.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { execFileSync } = require('node:child_process')
const { performance } = require('node:perf_hooks')
const { median } = require('./stats')

const ROOT = path.join(__dirname, '../..')

/** @param {string} dir where the databases lie */
function describe (dir) {
  const cpus = os.cpus()
  return {
    cpu: cpus.length ? cpus[0].model.trim() : 'unknown',
    cores: os.availableParallelism(),
    memoryGiB: Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()}`,
    fileSystem: fileSystem(dir),
    syncMicroseconds: Math.round(syncTime(dir)),
    load: os.loadavg()[0]
  }
}

/** The type of the file system that holds a directory; 'unknown' off Linux. */
function fileSystem (dir) {
  let best = { mount: '', type: 'unknown' }
  let table = ''
  try {
    table = fs.readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {}
  for (const line of table.split('\n')) {
    const [head, tail] = line.split(' - ')
    if (!tail) continue
    const mount = head.split(' ')[4]
    const inside = dir === mount || dir.startsWith(mount === '/' ? '/' : `${mount}/`)
    if (inside && mount.length >= best.mount.length) {
      best = { mount, type: tail.split(' ')[0] }
    }
  }
  return best.type
}

/** Median time in microseconds to append 4 KiB and have it on the disk. */
function syncTime (dir) {
  const file = path.join(dir, 'sync-probe')
  const fd = fs.openSync(file, 'w')
  const page = Buffer.alloc(4096, 1)
  const seen = []
  for (let i = 0; i < 100; i++) {
    const before = performance.now()
    fs.writeSync(fd, page)
    fs.fdatasyncSync(fd)
    seen.push((performance.now() - before) * 1000)
  }
  fs.closeSync(fd)
  fs.unlinkSync(file)
  return median(seen)
}

/** The commit, with a '+' when tracked files differ from it. */
function commit () {
  const git = (...args) => execFileSync('git', args, {
    cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']
  }).trim()
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', 'csrc', 'lib',
      'index.js', 'binding.gyp', 'bench/cases', 'bench/lib', 'bench/c', 'bench/contestants')
    return git('rev-parse', '--short=12', 'HEAD') + (changed ? '+' : '')
  } catch {
    return 'unknown'
  }
}

module.exports = { describe, commit }
