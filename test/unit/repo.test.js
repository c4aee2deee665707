'use strict'
// Rules of the repository that no linter knows: which layer may include which,
// and what must never be committed.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { execFileSync } = require('node:child_process')

const root = path.join(__dirname, '../..')
const pkg = require('../../package.json')
const read = name => fs.readFileSync(path.join(root, name), 'utf8')

// What git would commit; a tree without git (a tarball) has nothing to check.
function tracked () {
  try {
    return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
      cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']
    }).split('\n').filter(name => name && fs.existsSync(path.join(root, name)))
  } catch {
    return []
  }
}

const files = tracked()
const sources = files.filter(name => /^(csrc|test\/contract)\/.*\.(c|cc|h)$/.test(name))
const isText = name => !/\.(png|ico|gz|db|bin)$/.test(name)

// ---- layers ----------------------------------------------------------------

// Own headers that the files of a folder may include: only downwards.
const layers = [
  { folder: /^csrc\/core\/common\//, may: /^common\// },
  { folder: /^csrc\/core\/wire\//, may: /^(common|wire)\// },
  { folder: /^csrc\/core\/cache\//, may: /^(common|wire|cache)\/|^desk\/(call|session)\.h$/ },
  { folder: /^csrc\/core\/log\//, may: /^(common|wire|log)\/|^desk\/(call|session)\.h$/ },
  { folder: /^csrc\/core\/routes\//, may: /^(common|wire|routes)\// },
  { folder: /^csrc\/core\/data\/engine\.h$/, may: /^(common|desk)\// },
  // An engine knows itself alone, of the desk what engine.h shows, and of routes how rows get into a page.
  { folder: /^csrc\/core\/data\/sqlite\//, may: /^(common|wire|data\/sqlite)\/|^data\/engine\.h$|^desk\/(once|session)\.h$|^cache\/cache\.h$|^routes\/(fits|html)\.h$/ },
  { folder: /^csrc\/core\/data\/pg\//, may: /^(common|wire|data\/pg)\/|^data\/engine\.h$|^desk\/(once|session|stmt)\.h$|^cache\/cache\.h$|^routes\/(fits|html)\.h$/ },
  { folder: /^test\/contract\/stub\//, may: /^(common|wire)\/|^data\/engine\.h$|^desk\/session\.h$/ },
  { folder: /^csrc\/core\/desk\//, may: /^(common|wire|desk)\/|^cache\/cache\.h$|^log\/desk\.h$|^data\/engine\.h$|^routes\/(audit|describe|etag|given|rate|request|routes)\.h$|^uc\.h$/ },
  { folder: /^csrc\/core\/[^/]+$/, may: /^$/ },
  { folder: /^csrc\/doors\/addon\//, may: /^common\/|^log\/(log|settings)\.h$|^(uc|values)\.h$/ },
  // A connection does not know what is spoken on it; main.c says it.
  { folder: /^csrc\/daemon\/(accept|conn|door|front|in|out|queue|server)\.[ch]$/, may: /^common\/|^uc\.h$|^(accept|claim|config|conn|dbs|door|front|lines|log|notify|server|starters)\.h$/ },
  { folder: /^csrc\/daemon\/main\.c$/, may: /^(claim|config|dbs|lines|log|server)\.h$|^doors\/(sp\/door|http\/front)\.h$/ },
  { folder: /^csrc\/daemon\//, may: /^(common|wire)\/|^log\/(desk|log|note|settings)\.h$|^(uc|desk\/(op|options))\.h$|^(address|claim|config|dbs|lines|log|notify|starters|version)\.h$/ },
  // HTTP as a protocol knows neither a connection nor the core.
  { folder: /^csrc\/doors\/http\/(answer|caller|chunks|cors|order|parse|request|strict|token)\.[ch]$/, may: /^common\/|^doors\/http\/(answer|caller|chunks|cors|order|parse|request|strict|token)\.h$/ },
  // Its server has loops of its own, and of the daemon the options, the databases and the log.
  { folder: /^csrc\/doors\/http\//, may: /^(common|wire|doors\/http)\/|^(uc|desk\/op|log\/(log|note)|routes\/(audit|etag|person|routes))\.h$|^daemon\/(claim|config|dbs|front|log)\.h$/ },
  { folder: /^csrc\/doors\/sp\//, may: /^(common|wire|doors\/sp)\/|^(uc|desk\/op)\.h$|^daemon\/(conn|door|version)\.h$/ }
]

// Other people's headers, and the one place that knows each of them.
const outside = [
  { header: /^sqlite3/, in: /^csrc\/core\/data\/sqlite\// },
  { header: /^(napi|node_api|js_native_api)/, in: /^csrc\/doors\/addon\// },
  { header: /^jansson/, in: /^csrc\/core\/routes\// },
  { header: /^msgpack/, in: /^csrc\/core\/wire\// },
  { header: /^(zlib|zstd)/, in: /^csrc\/core\/log\/compress\.c$/ },
  { header: /^pthread\.h$/, in: /^csrc\/core\/common\/thread\.[ch]$/ },
  { header: /^nng\//, in: /^csrc\/daemon\// },
  { header: /^(uv\.h|uv\/)/, in: /^csrc\/(daemon|doors\/http)\// },
  { header: /^llhttp/, in: /^csrc\/(doors\/http\/parse|compat\/llhttp(_api)?)\.c$/ },
  { header: /^(libpq|pq-fe)/, in: /^$/ },
  { header: /^mbedtls\//, in: /^csrc\/core\/data\/pg\/(scram|tls)\.c$/ },
  { header: /^utf8proc/, in: /^csrc\/core\/data\/pg\/saslprep\.c$/ },
  { header: /^ares/, in: /^csrc\/core\/data\/pg\/names\.c$/ }
]

function includes (name) {
  return [...read(name).matchAll(/^\s*#\s*include\s+(["<])([^">]+)/gm)]
    .map(match => ({ own: match[1] === '"', header: match[2] }))
}

t.test('an include points down', async t => {
  t.ok(!files.length || sources.length > 10, 'there are sources to look at')
  const wrong = []
  for (const name of sources) {
    const layer = layers.find(layer => layer.folder.test(name))
    for (const { own, header } of includes(name)) {
      if (own && layer && !layer.may.test(header)) wrong.push(`${name} includes ${header}`)
      const rule = outside.find(rule => rule.header.test(header))
      if (rule && !rule.in.test(name)) wrong.push(`${name} includes ${header}`)
    }
  }
  t.same(wrong, [])
})

t.test('neither the core nor the addon calls libuv, which Bun does not have', async t => {
  const calls = sources.filter(name => /\buv_[a-z_]+\s*\(/.test(read(name)))
  t.same(calls.filter(name => !/^csrc\/(daemon|doors\/http)\//.test(name)), [])
})

t.test('lib loads what is built in so that a bundle can, too', async t => {
  const own = files.filter(name => /^lib\/(?!cli\/).*\.js$/.test(name) && name !== 'lib/base/builtin.js')
  t.same(own.filter(name => /\brequire\(['"]node:/.test(read(name))), [], 'builtin() instead of require')
  const listed = [...read('lib/base/builtin.js').matchAll(/^ {2}'(node:[^']+)': \(\) => require\('\1'\)/gm)].map(match => match[1])
  const used = new Set(own.flatMap(name => [...read(name).matchAll(/\bbuiltin\('([^']+)'\)/g)].map(match => match[1])))
  if (files.length) t.same(listed, [...used].sort(), 'lib/base/builtin.js lists each of them')
})

t.test('a file has one subject', async t => {
  const long = files.filter(name => /^(csrc|lib)\//.test(name) && read(name).split('\n').length > 800)
  t.same(long, [])
})

t.test('the tables of the client are those of the core', async t => {
  if (!fs.existsSync(path.join(root, '.ci/tables.js'))) return t.comment('a tarball has only what was made')
  const { text, output } = require('../../.ci/tables')
  t.equal(fs.readFileSync(output, 'utf8'), text(), 'node .ci/tables.js was run')
})

t.test('the description of the wire has each operation, and no other', async t => {
  const { operations } = require('../../lib/base/tables')
  const [table] = /^\| op \| name \|[^]*?\n\n/m.exec(read('csrc/WIRE.md'))
  const described = [...table.matchAll(/^\| (\d+) \| ([a-z_]+) \|/gm)].map(([, number, name]) => `${number} ${name}`)
  t.same(described.sort(), Object.entries(operations).map(([name, { number }]) => `${number} ${name.toLowerCase()}`).sort())
})

// ---- rooms of the client --------------------------------------------------

// What a folder of lib may require besides itself: only downwards. The CLI is the one room that may
// use deploy, which itself knows the base alone. The kit goes by index.js, which is in no room. What is sent to a host knows nothing of what stays
// here: deploy/agent, and the files beside it that both sides have (deploy/bundle.js).
const rooms = {
  base: [],
  wire: ['base'],
  transport: ['base', 'wire'],
  client: ['base', 'wire'],
  db: ['base', 'wire', 'client'],
  cache: ['base', 'wire', 'client'],
  log: ['base', 'wire', 'client'],
  graceful: ['base'],
  kit: ['base'],
  routes: ['base'],
  store: ['base', 'wire', 'transport', 'client', 'db', 'cache', 'log', 'routes'],
  cli: ['base', 'wire', 'transport', 'log', 'store', 'deploy', 'both'],
  deploy: ['base', 'agent/host', 'both'],
  agent: ['agent/start', 'agent/receive', 'agent/launcher', 'agent/host', 'both'],
  'agent/start': ['agent/launcher', 'agent/host', 'both'],
  'agent/receive': ['agent/host', 'both'],
  'agent/launcher': ['agent/host', 'both'],
  'agent/host': ['both'],
  both: []
}

function roomOf (name) {
  if (name === 'lib/store.js') return 'store'
  if (/^deploy\/(errors|frames)\.js$/.test(name)) return 'both'
  return /^lib\/([^/]+)\//.exec(name)?.[1] ?? /^deploy\/(agent(?:\/[^/]+(?=\/))?)\//.exec(name)?.[1] ?? /^(deploy)\//.exec(name)?.[1]
}

// [file, file that it requires], of lib and deploy.
function requires () {
  const out = []
  for (const name of files.filter(name => /^(lib|deploy)\/.*\.js$/.test(name))) {
    for (const [, to] of read(name).matchAll(/^(?!\s*\/\/).*require\('(\.[^']*)'\)/gm)) {
      const file = path.relative(root, require.resolve(path.resolve(root, path.dirname(name), to)))
      if (/^(lib|deploy)\//.test(file)) out.push([name, file])
    }
  }
  return out
}

t.test('a room of the client uses those below it', async t => {
  const wrong = []
  const used = new Set()
  for (const [from, to] of requires()) {
    const [room, other] = [roomOf(from), roomOf(to)]
    used.add(room)
    if (room !== other && !rooms[room]?.includes(other)) wrong.push(`${from} requires ${to}`)
  }
  t.same(wrong, [])
  if (files.length) t.same([...used].sort(), Object.keys(rooms).sort(), 'each room is there')
})

t.test('the kit uses no more of the package than its users do', async t => {
  // But for what builds on no more than Node, and would have to be there twice.
  const own = name => name.startsWith('lib/kit/') || /^lib\/base\/(builtin|peer)\.js$/.test(name)
  t.same(requires().filter(([from, to]) => from.startsWith('lib/kit/') && !own(to)), [])
})

t.test('no file of the client requires itself by way of others', async t => {
  const next = new Map()
  for (const [from, to] of requires()) next.set(from, [...next.get(from) ?? [], to])
  const done = new Set()
  const circles = []
  const walk = (name, way) => {
    if (way.includes(name)) return circles.push([...way.slice(way.indexOf(name)), name].join(' > '))
    if (done.has(name)) return
    for (const to of next.get(name) ?? []) walk(to, [...way, name])
    done.add(name)
  }
  for (const name of next.keys()) walk(name, [])
  t.same(circles, [])
})

t.test('a class has a name of its own', async t => {
  const places = new Map()
  for (const name of files.filter(name => /^(lib|deploy)\/.*\.js$/.test(name))) {
    for (const [, own] of read(name).matchAll(/^class (\w+)/gm)) places.set(own, [...places.get(own) ?? [], name])
  }
  t.same([...places].filter(([, names]) => names.length > 1), [])
})

// Files of one folder that need each other, by the symbols that their objects define and lack; the
// cache's are one machine.
t.test('no more than a few C files of a folder need each other', { skip: !fs.existsSync(path.join(root, 'build/Release/obj.target')) && 'nothing is built' }, async t => {
  const built = path.join(root, 'build/Release/obj.target')
  const objects = new Map()
  for (const name of fs.readdirSync(built, { recursive: true })) {
    const source = /(csrc\/.*)\.o$/.exec(name)?.[1]
    if (source !== undefined && sources.includes(`${source}.c`)) objects.set(`${source}.c`, path.join(built, name))
  }
  const defines = new Map()
  const lacks = new Map()
  for (const [source, object] of objects) {
    lacks.set(source, [])
    for (const line of execFileSync('nm', [object], { encoding: 'utf8' }).split('\n')) {
      const [, kind, symbol] = /([A-Za-z]) (\S+)$/.exec(line) ?? []
      if ('TDBRC'.includes(kind)) defines.set(symbol, source)
      else if (kind === 'U') lacks.get(source).push(symbol)
    }
  }
  const next = new Map([...lacks].map(([source, symbols]) => [source,
    new Set(symbols.map(symbol => defines.get(symbol)).filter(other => other !== undefined && path.dirname(other) === path.dirname(source)))]))
  const reach = (from) => {
    const seen = new Set()
    const left = [from]
    while (left.length > 0) for (const other of next.get(left.pop())) if (!seen.has(other)) left.push(other) && seen.add(other)
    return seen
  }
  const all = new Map([...next.keys()].map(source => [source, reach(source)]))
  const circles = [...all].map(([source, seen]) => [...seen].filter(other => all.get(other).has(source)))
  t.same(circles.filter(circle => circle.length > (circle[0]?.startsWith('csrc/core/cache/') ? 6 : 4)), [])
  t.ok(objects.size > 100, 'they were looked at')
})

t.test('no header of ours is longer than 300 lines', async t => {
  t.same(sources.filter(name => /^csrc\/.*\.h$/.test(name) && read(name).split('\n').length - 1 > 300), [])
})

// ---- what is committed -----------------------------------------------------

t.test('no work is left marked in the text', async t => {
  const marks = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b`)
  // One of them is also a word of TAP.
  const tap = ['test/lite.js', 'test/unit/tap-count.test.js']
  t.same(files.filter(name => isText(name) && !/-lock\.json$/.test(name) && !tap.includes(name) && marks.test(read(name))), [])
})

t.test('no file names a registry, a home directory or a temporary path of one machine', async t => {
  const hosts = /https?:\/\/[^/\s"']*(registry|npmjs|npmmirror|artifactory|nexus|verdaccio|deb\.debian)[^/\s"']*/i
  const paths = /\/(home|Users|root)\/[a-z]|\/work\/(main|shared)\b/
  const wrong = files.filter(name => isText(name) && name !== 'test/unit/repo.test.js' &&
    (hosts.test(read(name)) || paths.test(read(name))))
  t.same(wrong, [])
})

t.test('lock files name no host, and the packages with an install script are known', async t => {
  for (const name of files.filter(name => name.endsWith('package-lock.json'))) {
    const { packages } = JSON.parse(read(name))
    const entries = Object.entries(packages)
    t.same(entries.filter(([, entry]) => entry.resolved).map(([key]) => key), [], `${name}: resolved`)
    // The set-up runs none of them. The benchmark compiles its rivals spdlog, libpq and sqlite3 itself, the
    // others bring a binary; ssh2 does without what it would compile, esbuild's only makes its command start faster.
    const known = name.startsWith('bench/') ? ['@vscode/spdlog', 'libpq', 'lmdb', 'msgpackr-extract', 'sqlite3', 'zeromq'] : name.includes('/') ? [] : ['cpu-features', 'esbuild', 'ssh2']
    const scripts = entries.filter(([, entry]) => entry.hasInstallScript).map(([key]) => key.slice('node_modules/'.length))
    t.same(scripts, known, `${name}: install scripts`)
  }
})

t.test('no source of others and no binary is in the repository', async t => {
  const foreign = files.filter(name => /(^|\/)(sqlite3\.[ch]|napi\.h|msgpack\.h)$|\.(node|so|a|o|tgz)$/.test(name))
  t.same(foreign, [])
  const large = files.filter(name => !name.endsWith('package-lock.json') &&
    fs.statSync(path.join(root, name)).size > 200_000)
  t.same(large, [])
})

// ---- the package -----------------------------------------------------------

t.test('what is pinned is what the notices name', async t => {
  const dependencies = pkg.devDependencies
  t.match(dependencies['better-sqlite3'], /^\d+\.\d+\.\d+$/, 'an exact version')
  t.same(pkg.dependencies, undefined, 'nothing at run time')
  const notices = read('THIRD-PARTY.md')
  const versionOf = name => JSON.parse(read(`node_modules/${name}/package.json`)).version
  t.match(notices, `better-sqlite3 ${versionOf('better-sqlite3')}`)
  t.match(notices, `node-addon-api | ${versionOf('node-addon-api')}`)
  const sqlite = /define SQLITE_VERSION +"(.+)"/.exec(read('node_modules/better-sqlite3/deps/sqlite3/sqlite3.h'))[1]
  t.match(notices, `SQLite | ${sqlite}`)
})

t.test('the change log knows the version', async t => {
  t.match(read('CHANGELOG.md'), `## ${pkg.version}`)
})

// The files of an entry of exports, however its conditions are nested.
function targets (entry) {
  return typeof entry === 'string' ? [entry] : Object.values(entry).flatMap(targets)
}

t.test('every file that package.json names is there', async t => {
  const named = [pkg.main, pkg.types, ...Object.values(pkg.exports).flatMap(targets), pkg.bin.undercroft,
    ...pkg.files.filter(name => name !== 'prebuilds/')]
  t.same(named.filter(name => !fs.existsSync(path.join(root, name))), [])
})
