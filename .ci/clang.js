'use strict'
// The C sources against .clang-format and .clang-tidy.
//
//   node .ci/clang.js            whether clang-format would change anything
//   node .ci/clang.js --fix      let it
//   node .ci/clang.js --tidy     clang-tidy, file by file
//      --jobs=1                  one at a time
//      --nodes=75000             the analyzer gives a function up after so many states;
//                                it is 225,000 by itself, which takes three times as long

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { execFileSync, spawn, spawnSync } = require('node:child_process')

const root = path.join(__dirname, '..')
const dirs = ['csrc/core', 'csrc/doors', 'csrc/daemon', 'csrc/compat', 'test/c', 'test/contract/stub', 'test/fuzz', 'bench/c']

function files (dirs, pattern) {
  return dirs.filter(dir => fs.existsSync(path.join(root, dir))).flatMap(dir =>
    fs.readdirSync(path.join(root, dir), { recursive: true })
      .filter(name => pattern.test(name) && !/(^|\/)build\//.test(name))
      .map(name => `${dir}/${name}`))
}

function format (fix) {
  const args = fix ? ['-i'] : ['--dry-run', '--Werror']
  const sources = files(dirs, /\.(c|cc|h)$/)
  if (sources.length === 0) return 0
  return spawnSync('clang-format', [...args, ...sources], { cwd: root, stdio: 'inherit' }).status ?? 1
}

// Flags as binding.gyp has them; clang-tidy needs no compilation database then.
function flags (file) {
  const find = (...args) => execFileSync(process.execPath, ['csrc/find-lib.js', ...args], { cwd: root, encoding: 'utf8' }).trim()
  const isC = file.endsWith('.c')
  const napi = find('napi', '--dir')
  const node = path.join(path.dirname(path.dirname(process.execPath)), 'include/node')
  return [
    isC ? '-std=gnu11' : '-std=c++17',
    '-Icsrc', '-Icsrc/core',
    `-isystem${find('sqlite', '--dir')}`,
    ...(isC ? [] : [`-isystem${napi}`, `-isystem${node}`, '-DNAPI_VERSION=8', '-DNAPI_DISABLE_CPP_EXCEPTIONS', '-DNODE_ADDON_API_DISABLE_DEPRECATED']),
    ...['core', 'nng', 'uv', 'llhttp'].flatMap(name => find(name, '--cflags').split(' ').filter(Boolean))
  ]
}

async function tidy ({ jobs, nodes }) {
  const sources = files(['csrc/core', 'csrc/doors', 'csrc/daemon'], /\.(c|cc)$/)
  const flagsOf = { '.c': flags('x.c'), '.cc': flags('x.cc') }
  const depth = nodes ? ['-Xclang', '-analyzer-config', '-Xclang', `max-nodes=${nodes}`].map(arg => `--extra-arg=${arg}`) : []
  let failed = 0
  let next = 0
  const worker = async () => {
    while (next < sources.length) {
      const source = sources[next++]
      const { code, text } = await run('clang-tidy', ['--quiet', ...depth, source, '--', ...flagsOf[path.extname(source)]])
      if (code === 0) continue
      failed++
      console.log(`${source}:\n${text}`)
    }
  }
  await Promise.all(Array.from({ length: jobs }, worker))
  console.log(`clang-tidy: ${sources.length} files, ${failed} with findings`)
  return failed ? 1 : 0
}

function run (file, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', chunk => { text += chunk })
    child.on('error', reject)
    child.on('close', code => resolve({ code, text }))
  })
}

async function main ([mode, ...args]) {
  const number = name => Number(args.map(arg => new RegExp(`^--${name}=(\\d+)$`).exec(arg)?.[1]).find(Boolean) ?? 0)
  if (mode === '--tidy') return tidy({ jobs: number('jobs') || os.availableParallelism(), nodes: number('nodes') })
  return format(mode === '--fix')
}

main(process.argv.slice(2)).then(code => { process.exitCode = code })
