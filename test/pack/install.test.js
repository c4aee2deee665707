'use strict'
// What a host gets: `npm ci --omit=dev` installs this package and no other, also where the
// project has ssh2 for its deployments. The packages come from a registry in this process.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const t = require('tap')
const { execFile } = require('node:child_process')
const { root, tmpdir } = require('../helper')

t.setTimeout(300_000)

const pkg = require('../../package.json')
const npm = path.join(path.dirname(fs.realpathSync(which('npm'))), '../bin/npm-cli.js')

function which (name) {
  return process.env.PATH.split(path.delimiter).map(dir => path.join(dir, name)).find(fs.existsSync)
}

// npm with a folder for its cache and nothing of an `npm test` around this. -> { code, out, err }
function run (dir, registry, ...args) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_OPTIONS$/.test(name)))
  Object.assign(env, {
    HOME: dir,
    npm_config_cache: path.join(dir, '.npm'),
    npm_config_registry: registry,
    npm_config_ignore_scripts: 'true',
    npm_config_fetch_retries: '0',
    npm_config_update_notifier: 'false',
    npm_config_audit: 'false'
  })
  return new Promise(resolve => {
    execFile(process.execPath, [npm, ...args], { cwd: dir, env, timeout: 120_000 }, (error, out, err) => {
      resolve({ code: error ? error.code ?? 1 : 0, out, err })
    })
  })
}

// A folder of this repository as a tarball. -> its path
async function pack (t, folder, to) {
  const { code, out, err } = await run(to, 'http://127.0.0.1:1/', 'pack', '--json', '--ignore-scripts', `--pack-destination=${to}`, folder)
  if (code !== 0) throw new Error(`npm pack ${folder}: ${err}`)
  return path.join(to, Object.values(JSON.parse(out))[0].filename)
}

// A registry of ssh2 and what it needs, as they lie in node_modules. -> { url, asked: [path] }
async function startRegistry (t, dir) {
  const packages = new Map()
  const add = async name => {
    const folder = path.join(root, 'node_modules', name)
    if (packages.has(name) || !fs.existsSync(folder)) return
    const manifest = JSON.parse(fs.readFileSync(path.join(folder, 'package.json')))
    packages.set(name, null)
    packages.set(name, { manifest, file: await pack(t, folder, dir) })
    for (const other of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) await add(other)
  }
  await add('ssh2')
  const asked = []
  const server = http.createServer((req, res) => {
    asked.push(req.url)
    const [, name, tarball] = req.url.split('/')
    const found = packages.get(name)
    if (!found) return res.writeHead(404).end('{}')
    if (tarball) return fs.createReadStream(found.file).pipe(res)
    const { version } = found.manifest
    const dist = { tarball: `${url}${name}/tarball` }
    res.end(JSON.stringify({ name, 'dist-tags': { latest: version }, versions: { [version]: { ...found.manifest, dist } } }))
  })
  await new Promise(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { server.closeAllConnections(); server.close() })
  const url = `http://127.0.0.1:${server.address().port}/`
  return { url, asked }
}

// What is installed, as npm lists it and as it lies there.
function installed (dir) {
  const lock = JSON.parse(fs.readFileSync(path.join(dir, 'node_modules/.package-lock.json')))
  const there = fs.readdirSync(path.join(dir, 'node_modules')).filter(name => !name.startsWith('.'))
  return { locked: Object.keys(lock.packages), there }
}

t.test('the package asks npm for nothing', async t => {
  for (const field of ['dependencies', 'optionalDependencies', 'peerDependencies', 'peerDependenciesMeta', 'bundleDependencies']) {
    t.equal(pkg[field], undefined, field)
  }
})

t.test('a host installs exactly one package, also beside the ssh2 of who deploys', async t => {
  const dir = tmpdir(t)
  const shop = path.join(dir, 'shop')
  fs.mkdirSync(shop)
  const tarball = await pack(t, root, shop)
  const registry = await startRegistry(t, dir)
  fs.writeFileSync(path.join(shop, 'package.json'), JSON.stringify({ name: 'shop', version: '1.0.0', private: true }))

  // As deploy/README.md has it; ssh2 first would be the same.
  const first = await run(shop, registry.url, 'install', `./${path.basename(tarball)}`)
  t.equal(first.code, 0, first.err)
  t.same(registry.asked, [], 'of the registry it wants nothing')
  const second = await run(shop, registry.url, 'install', '--save-dev', 'ssh2')
  t.equal(second.code, 0, second.err)
  t.ok(installed(shop).there.includes('ssh2'), 'who deploys has it')
  const lock = JSON.parse(fs.readFileSync(path.join(shop, 'package-lock.json')))
  t.match(lock.packages['node_modules/ssh2'], { dev: true, devOptional: undefined }, 'for development alone')

  // The host: another machine, on which nothing is cached.
  const host = path.join(dir, 'host')
  fs.mkdirSync(host)
  for (const name of ['package.json', 'package-lock.json', path.basename(tarball)]) fs.copyFileSync(path.join(shop, name), path.join(host, name))
  registry.asked.length = 0
  const third = await run(host, registry.url, 'ci', '--omit=dev')
  t.equal(third.code, 0, third.err)
  t.same(installed(host), { locked: ['node_modules/undercroft'], there: ['undercroft'] })
  t.same(registry.asked, [], 'and needs no network')
})
