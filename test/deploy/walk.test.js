'use strict'

// The five minutes of deploy/README.md, by its own lines: from an empty folder and the package as npm packs it to
// the example behind nginx. What differs is where the host is, and that npm has no registry.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { spawn } = require('node:child_process')
const { root, tmpdir } = require('../helper')
const proc = require('../../deploy/agent/host/proc')
const processes = require('../../deploy/agent/launcher/process')
const slots = require('../../deploy/agent/launcher/slots')
const { paths } = require('../../deploy/agent/host/paths')
const { freePorts } = require('./parts/host')
const { startHosts } = require('./parts/sshd')
const { startNginx } = require('./parts/nginx')

t.setTimeout(300_000)

// -> { code, out }, both streams in one
function sh (cwd, line) {
  return new Promise((resolve, reject) => {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_OPTIONS$|^UNDERCROFT_/.test(name)))
    const child = spawn('sh', ['-ec', `exec 2>&1\n${line}`], { cwd, env, stdio: ['ignore', 'pipe', 'ignore'] })
    let out = ''
    child.stdout.setEncoding('utf8').on('data', (text) => { out += text })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, out }))
  })
}

async function succeeds (t, cwd, line) {
  const { code, out } = await sh(cwd, line)
  if (code !== 0) throw new Error(`${line}\nended with exit code ${code}:\n${out}`)
  return out
}

// The package with the addon as it was built here: packing compiles it anew, which test/pack does.
async function tarball (t, dir) {
  const stage = path.join(dir, 'stage')
  const { files, scripts, ...pkg } = require('../../package.json')
  for (const name of ['index.js', 'index.mjs', 'index.d.ts', 'lib', 'deploy', 'examples']) fs.cpSync(path.join(root, name), path.join(stage, name), { recursive: true })
  const binaries = path.join(stage, `prebuilds/${process.platform}-${process.arch}`)
  fs.mkdirSync(binaries, { recursive: true })
  fs.copyFileSync(path.join(root, 'build/Release/undercroft.node'), path.join(binaries, 'undercroft.node'))
  fs.writeFileSync(path.join(stage, 'package.json'), JSON.stringify({ ...pkg, files, devDependencies: undefined }))
  const name = (await succeeds(t, stage, `npm pack --silent --ignore-scripts --pack-destination='${dir}'`)).trim()
  return path.join(dir, name)
}

t.test('from nothing to a deployed service', async (t) => {
  const dir = tmpdir(t)
  const [host] = await startHosts(t, 1)
  const app = paths(host.folder)
  t.teardown(async () => {
    for (const slot of slots.all(app)) await processes.stop(slot, { drainMs: 0, killMs: 200 })
    for (const pid of proc.pids()) if (pid !== process.pid && isOf(pid, host.folder)) process.kill(pid, 'SIGKILL')
  })
  const packed = await tarball(t, dir)
  // Above the project, as npm install --save-dev ssh2 would put it into it.
  fs.mkdirSync(path.join(dir, 'node_modules'))
  fs.symlinkSync(path.join(root, 'node_modules/ssh2'), path.join(dir, 'node_modules/ssh2'))

  const text = fs.readFileSync(path.join(root, 'deploy/README.md'), 'utf8')
  const walk = text.slice(text.indexOf('## Five minutes'), text.indexOf('## Configuration'))
  const lines = /```sh\n([^]*?)```/.exec(walk)[1]
  const npm = 'npm install --offline --no-audit --no-fund'
  await succeeds(t, dir, lines.replace('cd shop', `cd shop && cp '${packed}' .`)
    .replace('npm install undercroft\n', `${npm} ./${path.basename(packed)}\n`).replace('npm install --save-dev ssh2\n', ''))
  const shop = path.join(dir, 'shop')
  const init = /`(npx undercroft deploy init .*?)`/.exec(walk)[1]
  t.match(await succeeds(t, shop, init), /wrote deploy\.config\.js\n[^]*added to package\.json: deploy, deploy:plan/)

  const ports = await freePorts(2)
  const { name, host: address, port, user, key, knownHosts } = host
  const mine = { hosts: [{ name, host: address, port, user, key, knownHosts, agent: false }], folder: host.folder, ports, runtime: { name: 'node', path: process.execPath }, watchMs: 100 }
  fs.writeFileSync(path.join(shop, 'mine.config.js'), `module.exports = { ...require('./deploy.config.js'), ...${JSON.stringify(mine)}, launcher: 'process' }\n`)
  const gateway = fs.readFileSync(path.join(shop, 'deploy/nginx.conf'), 'utf8')
  const nginx = await startNginx({ app: 'shop', folder: host.folder, ports }, (ours) => gateway
    .replaceAll('/srv/shop', host.folder).replaceAll('/var/log/nginx', path.dirname(/access_log (\S+)/.exec(ours)[1])).replace('listen 80;', /listen .*;/.exec(ours)[0]))
  t.teardown(() => nginx.stop())

  t.match(await succeeds(t, shop, 'npm run deploy:plan -- --config mine.config.js'), /runs +there: npm ci --omit=dev/)
  await succeeds(t, shop, 'npm run deploy -- --config mine.config.js')
  const first = await (await fetch(nginx.url)).json()
  t.match(first, { service: 'shop', release: /^\d{8}-\d{6}-/ })
  t.equal((await fetch(`${nginx.url}/orders`, { method: 'POST', body: '{"number": 7, "item": "lamp"}' })).status, 201)
  const names = fs.readdirSync(app.release(first.release))
  t.same(names.filter((name) => /config|^deploy$|\.db|\.env/.test(name)), [], 'the configuration stays here')
  t.ok(names.includes('package-lock.json'))

  fs.appendFileSync(path.join(shop, 'app.js'), '// changed\n')
  await succeeds(t, shop, 'npm run deploy -- --config mine.config.js')
  const second = await (await fetch(nginx.url)).json()
  t.not(second.release, first.release)
  await succeeds(t, shop, 'npm run deploy:rollback -- --config mine.config.js')
  t.equal((await (await fetch(nginx.url)).json()).release, first.release)
  t.match(await (await fetch(`${nginx.url}/orders/7`)).json(), { item: 'lamp', release: first.release }, 'the database outlives releases')
  t.match(await succeeds(t, shop, 'npm run deploy:status -- --config mine.config.js'), first.release)
})

function isOf (pid, folder) {
  try {
    return fs.readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`UNDERCROFT_SLOT=${folder}/`)
  } catch {
    return false
  }
}
