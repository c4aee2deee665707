'use strict'

// Who is let in, and over what: the same addresses by psql and here, and the same comes of them. TLS, SCRAM
// with and without channel binding, md5, passwords from files and from the environment.

const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const tls = require('node:tls')
const { execFile, execFileSync } = require('node:child_process')
const { promisify } = require('node:util')
const { tmpdir, failure } = require('../helper')
const pg = require('../pg')
const { store, withServer } = require('./common')

const run = promisify(execFile)
const program = path.join(__dirname, 'connects.js')
const SQL = "select current_user, coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false), current_setting('application_name'), current_database()"

const query = (params) => Object.entries(params).filter(([, value]) => value !== undefined)
  .map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')

const SSLMODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']
const SECRETS = ['right-secret', 'wrong-secret', 'IX secret']
const UNICODE = 'pa\u00adss\u2168 \u00fc\u4e16\u754c'

const HBA = [
  'local all scram scram-sha-256',
  'local all unicode scram-sha-256',
  'local all all trust',
  'hostssl all tlsonly all trust',
  'hostnossl all plainonly all trust',
  'hostssl all cert all cert',
  'host all tlsonly all reject',
  'host all plainonly all reject',
  'host all cert all reject',
  'hostnossl all better all trust',
  'hostssl all better all scram-sha-256',
  'host all scram all scram-sha-256',
  'host all unicode all scram-sha-256',
  'host all md5 all md5',
  'host all clear all password',
  'host all all all trust'
]

// Keys and certificates in a folder: of two authorities, of servers and of a client.
function certificates (dir) {
  const openssl = (...args) => execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] })
  const authority = (name) => openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '9', '-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.crt`)
  const signed = (name, cn, alt, by = 'ca') => {
    openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', `/CN=${cn}`, '-keyout', `${name}.key`, '-out', `${name}.csr`)
    fs.writeFileSync(path.join(dir, `${name}.ext`), alt ? `subjectAltName=${alt}\n` : 'basicConstraints=CA:FALSE\n')
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${by}.crt`, '-CAkey', `${by}.key`, '-CAcreateserial', '-days', '9', '-sha256', '-extfile', `${name}.ext`, '-out', `${name}.crt`)
  }
  authority('ca')
  authority('other')
  signed('server', 'ignored.example', 'DNS:localhost,DNS:*.wild.example,IP:127.0.0.1')
  signed('named', '127.0.0.1', '')
  signed('client', 'cert', '')
  signed('stranger', 'cert', '', 'other')
  return (name) => path.join(dir, name)
}

// A connection that ends TLS and begins another behind it, as somebody in between would.
async function proxy (t, port, file) {
  const sockets = new Set()
  const server = net.createServer((plain) => {
    sockets.add(plain)
    plain.on('error', () => {}).once('data', () => {
      plain.write('S')
      const client = new tls.TLSSocket(plain, { isServer: true, key: fs.readFileSync(file('named.key')), cert: fs.readFileSync(file('named.crt')) })
      const up = net.connect(port, '127.0.0.1', () => up.write(Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])))
      sockets.add(up)
      up.on('error', () => plain.destroy()).once('data', () => {
        const server = tls.connect({ socket: up, rejectUnauthorized: false })
        client.on('error', () => up.destroy()).pipe(server).on('error', () => plain.destroy()).pipe(client)
      })
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return server.address().port
}

// Bytes from one socket to another.
async function forward (t, host, port) {
  const server = net.createServer((from) => {
    const to = net.connect(port, '127.0.0.1')
    from.on('error', () => to.destroy()).pipe(to).on('error', () => from.destroy()).pipe(from)
  })
  await new Promise((resolve, reject) => server.on('error', reject).listen(0, host, resolve))
  t.teardown(() => server.close())
  return server.address().port
}

const hasOpenssl = () => {
  try {
    execFileSync('openssl', ['version'])
    return true
  } catch {
    return false
  }
}

withServer({ tcp: true, hba: HBA }, async (t, plain) => {
  if (!hasOpenssl()) return t.skip('no openssl to make certificates with')
  const dir = tmpdir(t)
  fs.chmodSync(dir, 0o755)
  const file = certificates(dir)
  const home = path.join(dir, 'home')
  fs.mkdirSync(home)

  const withTls = (name, more) => pg.start(t, {
    tcp: true,
    hba: HBA,
    settings: { ssl: 'on', ssl_cert_file: file(`${name}.crt`), ssl_key_file: path.join(dir, `${name}-server.key`), ssl_ca_file: file('ca.crt'), ...more }
  })
  // The server reads its key only when it belongs to its user.
  for (const name of ['server', 'named']) {
    const key = path.join(dir, `${name}-server.key`)
    fs.copyFileSync(file(`${name}.key`), key)
    if (plain.user !== null) fs.chownSync(key, plain.user.uid, plain.user.gid)
    fs.chmodSync(key, 0o600)
  }
  const secure = await withTls('server')
  const named = await withTls('named')
  const modern = await withTls('server', { ssl_min_protocol_version: 'TLSv1.3' })

  for (const server of [plain, secure, named, modern]) {
    server.sql(`create role tlsonly login; create role plainonly login; create role cert login; create role better login password 'right-secret';
      create role scram login password 'right-secret'; create role clear login password 'right-secret';
      create role unicode login password U&'pa\\00adss\\2168 \\00fc\\4e16\\754c';
      set password_encryption = 'md5'; create role md5 login password 'right-secret'`)
  }

  let runs = 0
  // Tries them both ways, [name, url], in one environment; what does not connect says no secret.
  async function same (t, cells, more = {}) {
    const env = { PATH: process.env.PATH, HOME: home, USER: 'postgres', ...more }
    const list = path.join(dir, `urls-${++runs}.json`)
    fs.writeFileSync(list, JSON.stringify(cells.map(([, url]) => url)))
    const theirs = []
    const psql = async (url) => {
      try {
        const { stdout } = await run(plain.bin('psql'), ['-wqAtX', url, '-c', SQL], { env: { PGAPPNAME: 'same', ...env }, timeout: 30_000 })
        return stdout.trim()
      } catch (error) {
        return null
      }
    }
    for (let i = 0; i < cells.length; i += 4) theirs.push(...await Promise.all(cells.slice(i, i + 4).map(([, url]) => psql(url))))
    const { stdout } = await run(process.execPath, [program, list], { env: { PGAPPNAME: 'same', ...env }, maxBuffer: 1 << 26 })
    const ours = JSON.parse(stdout)
    for (const [i, [name]] of cells.entries()) {
      const { row, code, message, all } = ours[i]
      const mine = row === undefined ? null : [row.who, row.tls ? 't' : 'f', row.app, row.db].join('|')
      t.equal(mine, theirs[i], `${name}${code === undefined ? '' : `: ${code} ${message}`}`)
      for (const secret of [...SECRETS, UNICODE, encodeURIComponent(UNICODE)]) if (all?.includes(secret)) t.fail(`${name} tells a secret: ${all}`)
    }
    return ours
  }

  const at = (server, params, user = 'postgres', password) => {
    const { host = '127.0.0.1', ...others } = params
    return `postgres://${user}${password === undefined ? '' : `:${encodeURIComponent(password)}`}@/postgres?${query({ host, port: server.port, connect_timeout: 10, ...others })}`
  }

  await t.test('sslmode × server × authority × name of the host', async (t) => {
    const cells = []
    const hosts = { name: { host: 'localhost' }, address: { host: '127.0.0.1' }, 'other name': { host: 'other.example', hostaddr: '127.0.0.1' }, 'other address': { host: '127.0.0.2', hostaddr: '127.0.0.1' }, 'only hostaddr': { host: undefined, hostaddr: '127.0.0.1' }, 'wild card': { host: 'a.wild.example', hostaddr: '127.0.0.1' } }
    for (const sslmode of SSLMODES) {
      for (const [kind, server] of Object.entries({ TLS: secure, plain })) {
        for (const [root, sslrootcert] of Object.entries({ none: undefined, right: file('ca.crt'), wrong: file('other.crt') })) {
          for (const [name, host] of Object.entries(hosts)) {
            if (sslmode !== 'verify-full' && !['name', 'other name'].includes(name)) continue
            const params = { ...host, port: server.port, sslmode, sslrootcert, connect_timeout: 10 }
            cells.push([`${sslmode}, ${kind}, authority ${root}, ${name}`, `postgres://postgres@/postgres?${query(params)}`])
          }
        }
      }
    }
    for (const sslmode of ['verify-ca', 'verify-full']) {
      for (const host of ['127.0.0.1', 'localhost']) cells.push([`${sslmode}, ${host} in the subject alone`, at(named, { host, sslmode, sslrootcert: file('ca.crt') })])
    }
    await same(t, cells)
  })

  await t.test('users who may come only with TLS, or only without', async (t) => {
    const cells = []
    for (const sslmode of SSLMODES.slice(0, 4)) {
      for (const user of ['tlsonly', 'plainonly']) {
        for (const [kind, server] of Object.entries({ TLS: secure, plain })) cells.push([`${user}, ${sslmode}, ${kind}`, at(server, { sslmode }, user)])
      }
      for (const password of ['right-secret', 'wrong-secret']) cells.push([`better, ${sslmode}, ${password}`, at(secure, { sslmode }, 'better', password)])
    }
    for (const name of ['client', 'stranger']) {
      fs.chmodSync(file(`${name}.key`), 0o600)
      cells.push([`certificate ${name}`, at(secure, { sslmode: 'require', sslcert: file(`${name}.crt`), sslkey: file(`${name}.key`) }, 'cert')])
    }
    cells.push(['no certificate', at(secure, { sslmode: 'require' }, 'cert')])
    await same(t, cells)
  })

  await t.test('passwords and channel binding', async (t) => {
    const cells = []
    const ways = { socket: { host: secure.dir }, plain: { sslmode: 'disable' }, TLS: { sslmode: 'require' } }
    for (const user of ['scram', 'md5', 'clear', 'postgres']) {
      for (const password of ['right-secret', 'wrong-secret', undefined]) {
        for (const [way, params] of Object.entries(ways)) {
          for (const channel_binding of way === 'TLS' ? ['disable', 'prefer', 'require'] : [undefined, 'require']) { // eslint-disable-line camelcase
            cells.push([`${user}, ${password}, ${way}, channel_binding=${channel_binding}`, at(secure, { ...params, channel_binding }, user, password)]) // eslint-disable-line camelcase
          }
        }
      }
    }
    for (const [name, password] of Object.entries({ 'as it was set': UNICODE, 'as it is prepared': 'passIX \u00fc\u4e16\u754c', decomposed: 'passIX u\u0308\u4e16\u754c', other: 'passIX u\u4e16\u754c' })) {
      cells.push([`beyond ASCII: ${name}`, at(secure, { sslmode: 'require' }, 'unicode', password)])
    }
    const port = await proxy(t, secure.port, file)
    for (const channel_binding of ['disable', 'prefer', 'require']) { // eslint-disable-line camelcase
      cells.push([`somebody between, ${channel_binding}`, at({ port }, { sslmode: 'require', channel_binding }, 'scram', 'right-secret')]) // eslint-disable-line camelcase
    }
    const ours = await same(t, cells)
    t.ok(ours.at(-1).code !== undefined, 'who is between is not let in')
  })

  await t.test('files and the environment', async (t) => {
    const pass = path.join(home, '.pgpass')
    const tcp = (more = {}) => at(plain, { ...more }, 'scram')
    const rows = {
      'the host': `127.0.0.1:${plain.port}:postgres:scram:right-secret`,
      'any host': '*:*:*:scram:right-secret',
      'another port': '127.0.0.1:1:postgres:scram:right-secret',
      'the first that fits': '*:*:*:scram:wrong-secret\n*:*:*:scram:right-secret',
      'a comment and escapes': `# x\n127.0.0.1:${plain.port}:post\\gres:scram:right\\-secret`,
      'a wrong one': '*:*:*:*:wrong-secret'
    }
    for (const [name, text] of Object.entries(rows)) {
      fs.writeFileSync(pass, `${text}\n`, { mode: 0o600 })
      fs.chmodSync(pass, 0o600)
      await same(t, [[`.pgpass: ${name}`, tcp()]])
    }
    fs.writeFileSync(pass, '*:*:*:*:right-secret\n')
    fs.chmodSync(pass, 0o644)
    await same(t, [['.pgpass that others may read', tcp()]])
    fs.chmodSync(pass, 0o600)
    await same(t, [['PGPASSFILE', tcp()]], { PGPASSFILE: '/nonexistent' })
    fs.rmSync(pass)

    fs.writeFileSync(path.join(home, '.pg_service.conf'), `# services
[mine]
host=127.0.0.1
port=${plain.port}
user=scram
password=right-secret
dbname=postgres
application_name=of-the-service

[bad]
host=127.0.0.1
port=1
`)
    await same(t, [
      ['service', 'postgres://?service=mine'],
      ['service, another user', 'postgres://postgres@/?service=mine'],
      ['no such service', 'postgres://?service=none'],
      ['a service that leads nowhere', 'postgres://?service=bad&user=postgres']
    ])
    await same(t, [['PGSERVICE', 'postgres://'], ['PGSERVICE and a user', 'postgres://md5@/']], { PGSERVICE: 'mine', PGPASSWORD: 'right-secret' })
    const other = path.join(dir, 'services')
    fs.writeFileSync(other, `[mine]\nhost=${plain.dir}\nport=${plain.port}\nuser=postgres\ndbname=template1\n`)
    await same(t, [['PGSERVICEFILE', 'postgres://?service=mine']], { PGSERVICEFILE: other })

    const base = { PGHOST: '127.0.0.1', PGPORT: String(plain.port), PGUSER: 'scram', PGPASSWORD: 'right-secret', PGDATABASE: 'postgres' }
    await same(t, [['all of the environment', 'postgres://'], ['with another user', 'postgres://postgres@/'], ['with a wrong password', 'postgres://scram:wrong-secret@/']], base)
    await same(t, [['PGSSLMODE', 'postgres://']], { ...base, PGSSLMODE: 'require' })
    await same(t, [['PGSSLROOTCERT', 'postgres://'], ['and a name', 'postgres://?host=other.example&hostaddr=127.0.0.1']], { ...base, PGPORT: String(secure.port), PGSSLMODE: 'verify-full', PGSSLROOTCERT: file('ca.crt') })
    await same(t, [['PGCHANNELBINDING', 'postgres://']], { ...base, PGCHANNELBINDING: 'require' })
    await same(t, [['PGTARGETSESSIONATTRS', 'postgres://']], { ...base, PGTARGETSESSIONATTRS: 'standby' })
    await same(t, [['PGOPTIONS', 'postgres://']], { ...base, PGOPTIONS: '-c application_name=of-the-options' })
    await same(t, [['PGHOSTADDR', 'postgres://']], { ...base, PGHOST: 'nowhere.example', PGHOSTADDR: '127.0.0.1' })
  })

  await t.test('addresses', async (t) => {
    const six = await forward(t, '::1', plain.port).catch(() => null)
    const cells = [
      ['a socket', `postgres://postgres@/postgres?${query({ host: plain.dir, port: plain.port })}`],
      ['a socket, escaped', `postgres://postgres@${encodeURIComponent(plain.dir)}:${plain.port}/postgres`],
      ['no such socket', `postgres://postgres@/postgres?${query({ host: '/nonexistent', port: plain.port })}`],
      ['a number', `postgresql://postgres@127.0.0.1:${plain.port}/postgres`],
      ['a name', `postgres://postgres@localhost:${plain.port}/postgres`],
      ['a port where nobody is', 'postgres://postgres@127.0.0.1:1/postgres'],
      ['one of several', `postgres://postgres@127.0.0.1:1,localhost:${plain.port}/postgres`],
      ['a database that is not there', `postgres://postgres@127.0.0.1:${plain.port}/none`],
      ['what libpq knows besides', `postgres://postgres@127.0.0.1:${plain.port}/postgres?gssencmode=disable&keepalives=1&keepalives_idle=5&sslcompression=0&client_encoding=UTF8&krbsrvname=x`],
      ['what nobody knows', `postgres://postgres@127.0.0.1:${plain.port}/postgres?nothing=1`],
      ['ssl=true', `postgres://postgres@127.0.0.1:${secure.port}/postgres?ssl=true`]
    ]
    if (six === null) t.comment('left out: IPv6, which this machine has not')
    else cells.push(['IPv6', `postgres://postgres@[::1]:${six}/postgres`])
    await same(t, cells)
  })

  await t.test('a server that wants TLS 1.3 is told apart', async (t) => {
    const error = await failure(store(t, at(modern, { sslmode: 'require' })).db.get('select 1'))
    t.match(error, { code: 'UC_CONNECT', outcome: 'not-run' })
    t.match(error.message, /1\.2/)
  })

  await t.test('a name server that says nothing has the time of connect_timeout', async (t) => {
    const conf = path.join(dir, 'resolv.conf')
    const deaf = require('node:dgram').createSocket('udp4')
    await new Promise((resolve) => deaf.bind(53, '127.0.0.53', resolve).on('error', resolve))
    t.teardown(() => { try { deaf.close() } catch {} })
    fs.writeFileSync(conf, 'nameserver 127.0.0.53\noptions timeout:30 attempts:5\n')
    const list = path.join(dir, 'urls-dead.json')
    fs.writeFileSync(list, JSON.stringify(['postgres://postgres@no-such-name.example/postgres?connect_timeout=2']))
    let stdout
    const begun = Date.now()
    try {
      const script = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
      stdout = (await run('unshare', ['-m', 'sh', '-c', script, 'sh', conf, process.execPath, program, list], { env: { PATH: process.env.PATH, HOME: home }, timeout: 60_000 })).stdout
    } catch (error) {
      return t.skip(`no name server can be put in place here: ${error.message.split('\n')[0]}`)
    }
    const [{ code, message }] = JSON.parse(stdout)
    t.equal(code, 'UC_CONNECT')
    t.match(message, /no-such-name\.example/)
    t.ok(Date.now() - begun < 20_000, 'and no longer')
  })
})
