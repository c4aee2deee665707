'use strict'

// From nothing to a deployed service with the commands alone: new, deploy init, deploy. What they write is
// used as it is written, but for what says where this machine's sshd and nginx are.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { spawnSync } = require('node:child_process')
const { root, until } = require('../helper')
const { freePort, startNginx } = require('./parts/nginx')
const { endProcesses } = require('./parts/site')
const { startHosts } = require('./parts/sshd')

t.setTimeout(300_000)

t.test('a new service, deployed', async (t) => {
  const hosts = await startHosts(null, 1)
  const [host] = hosts
  const { folder } = host
  let gateway = null
  t.teardown(async () => {
    await endProcesses(folder)
    await gateway?.stop()
    await hosts.stop()
  })
  const dir = path.join(hosts.dir, 'shop')
  const cli = (cwd, ...args) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [path.join(root, 'lib/cli/main.js'), ...args], { cwd, encoding: 'utf8', timeout: 120_000, env: { ...process.env, NODE_OPTIONS: '' } })
    if (status !== 0) throw new Error(`${args.join(' ')}: ${stdout}${stderr}`)
  }
  cli(hosts.dir, 'new', 'shop')
  cli(dir, 'deploy', 'init', '--app', 'shop', '--host', `${host.user}@${host.host}:${host.port}`, '--folder', folder)

  // As npm install would have it.
  fs.mkdirSync(path.join(dir, 'node_modules/.bin'), { recursive: true })
  fs.symlinkSync(root, path.join(dir, 'node_modules/undercroft'))
  fs.symlinkSync(path.join(root, 'lib/cli/main.js'), path.join(dir, 'node_modules/.bin/undercroft'))
  const own = {
    hosts: [{ name: host.name, host: host.host, port: host.port, user: host.user, key: host.key, agent: false, knownHosts: host.knownHosts }],
    install: `mkdir -p node_modules && ln -sfn '${root}' node_modules/undercroft`,
    runtime: { name: 'node', path: process.execPath },
    launcher: 'process',
    ports: [await freePort(), await freePort()],
    watchMs: 100
  }
  fs.renameSync(path.join(dir, 'deploy.config.js'), path.join(dir, 'deploy/config.js'))
  fs.writeFileSync(path.join(dir, 'deploy.config.js'), `module.exports = { ...require('./deploy/config.js'), ...${JSON.stringify(own)} }\n`)
  const site = fs.readFileSync(path.join(dir, 'deploy/nginx.conf'), 'utf8')
  gateway = await startNginx({ app: 'shop', folder, ports: own.ports }, (text) => {
    const [listen] = /listen [^;]+;/.exec(text)
    return site.replace(/listen 80;/, listen).replaceAll('/var/log/nginx', /access_log (.*)\/shop\.access/.exec(text)[1])
  })
  cli(dir, 'deploy')

  const ask = (target, body) => fetch(`${gateway.url}${target}`, body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
  const added = await ask('/product/add', { name: 'astrolabe', cents: 1999 })
  t.equal(added.status, 200, 'a POST')
  const { id } = await added.json()
  t.match(await (await ask('/product/list?name=astro')).json(), { rows: [{ id, name: 'astrolabe', cents: 1999 }] })
  t.equal((await ask('/health')).status, 200, 'of the service')
  const lines = () => fs.readFileSync(path.join(gateway.dir, 'shop.access.json'), 'utf8').trim().split('\n').map((line) => JSON.parse(line))
  await until(() => lines().length >= 3, 'the lines are there')
  t.same(lines().map(({ url, upstream }) => [url, path.basename(upstream)]), [['/product/add', 'http.sock'], ['/product/list?name=astro', 'http.sock'], ['/health', 'app.sock']])
})
