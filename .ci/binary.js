'use strict'
// What a compiled addon, and the daemon, ask of the machine they run on.

const { execFileSync } = require('node:child_process')

// All of glibc, which every process of ours has loaded anyway.
const allowed = new Set(['libc.so.6', 'libm.so.6', 'libpthread.so.0', 'libdl.so.2', 'ld-linux-x86-64.so.2'])
// Node-API calls this by name when it loads an addon; nothing else of ours may
// be visible to, or replaced by, the rest of the process.
const exported = new Set(['napi_register_module_v1', 'node_api_module_get_api_version_v1'])

// -> { needs: [library], glibc: 'newest version asked for', symbols: [exported] }
function inspect (file) {
  const needs = librariesOf(file)
  const table = execFileSync('objdump', ['--dynamic-syms', file], { encoding: 'utf8' })
  const versions = [...table.matchAll(/GLIBC_([\d.]+)/g)].map(match => match[1])
  const symbols = table.split('\n')
    .filter(line => /^[0-9a-f]+ .*\.(text|data|rodata|bss)/.test(line))
    .map(line => line.split(/\s+/).at(-1))
  return { needs, glibc: versions.sort(compare).at(-1), symbols }
}

function librariesOf (file) {
  const dynamic = execFileSync('readelf', ['--dynamic', '--wide', file], { encoding: 'utf8' })
  return [...dynamic.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(match => match[1])
}

// -> sentences; none when it may be published
function faults ({ needs, glibc, symbols }, limits) {
  const list = []
  for (const name of needs) if (!allowed.has(name)) list.push(`it needs ${name} at run time`)
  if (compare(glibc, limits.glibc) > 0) list.push(`it needs glibc ${glibc}, newer than the ${limits.glibc} that package.json promises`)
  for (const name of symbols) if (!exported.has(name)) list.push(`it exports ${name}`)
  return list
}

// The daemon asks for nothing: no libraries, and no loader that could bring any.
function daemonFaults (file) {
  const segments = execFileSync('readelf', ['--program-headers', '--wide', file], { encoding: 'utf8' })
  const list = []
  if (/^\s*INTERP\b/m.test(segments)) list.push(`${file} needs a dynamic loader`)
  for (const name of librariesOf(file)) list.push(`${file} needs ${name} at run time`)
  return list
}

function compare (a, b) {
  const [x, y] = [a, b].map(version => version.split('.').map(Number))
  return x[0] - y[0] || x[1] - y[1]
}

module.exports = { compare, daemonFaults, faults, inspect }
