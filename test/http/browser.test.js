'use strict'

// What a page may do with routes, in a real browser: one of the routes' own origin, one of another origin
// that is listed, and one of another that is not. Through the daemon's HTTP and through a mount.

const fs = require('node:fs')
const http = require('node:http')
const path = require('node:path')
const t = require('tap')
const { open } = require('../..')
const { project, serve } = require('./server')
const { program, visit } = require('./chromium')
const { fileTimeoutMs } = require('../helper')

t.setTimeout(fileTimeoutMs)

const ROUTES = `-- @post /add :one
-- @public
-- @param n integer
insert into t values (:n) returning n;

-- @get /count :one
-- @public
select count(*) as n from t;

-- @get /page :html page.mustache
-- @public
select 1 as one limit 1;
`

// Each way that a page has to post; what it has found it tells its own server, or whoever `teller` is.
const page = (target, teller, first) => `<!doctype html><meta charset="utf-8"><body><script>
const target = '${target}'
const json = { 'content-type': 'application/json' }
const ways = {
  json: (n) => fetch(target + '/add', { method: 'POST', credentials: 'include', headers: json, body: '{"n":' + n + '}' }).then(async (res) => res.status + ' ' + await res.text()),
  plain: (n) => fetch(target + '/add', { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"n":' + n + '}' }).then((res) => res.type + ' ' + res.status),
  beacon: async (n) => navigator.sendBeacon(target + '/add', new Blob(['{"n":' + n + '}'], { type: 'text/plain' })),
  form: (n) => new Promise((resolve) => {
    const frame = document.createElement('iframe')
    frame.name = 'frame'
    document.body.appendChild(frame)
    const form = document.body.appendChild(document.createElement('form'))
    Object.assign(form, { method: 'post', enctype: 'text/plain', action: target + '/add', target: 'frame' })
    const input = form.appendChild(document.createElement('input'))
    input.name = '{"n":' + n + ',"x":"'
    input.value = '"}'
    frame.onload = () => resolve('sent')
    form.submit()
  }),
  read: () => fetch(target + '/count', { credentials: 'include' }).then(async (res) => res.status + ' ' + await res.text())
}
async function main () {
  const found = {}
  let n = ${first}
  for (const [name, way] of Object.entries(ways)) found[name] = await way(n++).catch((err) => err.name)
  await fetch('${teller}', { method: 'POST', mode: 'no-cors', body: JSON.stringify(found) })
}
main()
</script></body>`

// A site that serves the page and hears what it has found.
async function site (t, bodyOf) {
  let tell
  const told = new Promise((resolve) => { tell = resolve })
  const server = http.createServer((req, res) => {
    if (req.method !== 'POST') return res.setHeader('content-type', 'text/html').end(bodyOf === undefined ? '' : bodyOf(origin))
    let text = ''
    req.setEncoding('utf8').on('data', (piece) => { text += piece }).on('end', () => {
      res.end()
      tell(JSON.parse(text))
    })
  })
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  // Another site than 127.0.0.1, though it is the same address.
  const origin = `http://localhost:${server.address().port}`
  return { origin, told }
}

const ways = {
  async 'the daemon' (t, dir, origins) {
    const daemon = await serve(t, { dir, http: '127.0.0.1:0', args: origins.flatMap((origin) => ['--http-origin', origin]) })
    return { base: `http://127.0.0.1:${daemon.to.port}`, store: open(daemon.url) }
  },
  async 'a mount' (t, dir, origins) {
    const store = open(path.join(dir, 'app.db'))
    const routes = store.routes(path.join(dir, 'routes'), { origins, audit: false })
    await routes.ready
    const server = http.createServer(routes.node())
    await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve) })
    t.teardown(() => {
      server.closeAllConnections()
      server.close()
    })
    return { base: `http://127.0.0.1:${server.address().port}`, store }
  }
}

for (const [name, start] of Object.entries(ways)) {
  t.test(name, { skip: program === null && 'there is no chromium here (apt-get install chromium)' }, async (t) => {
    const dir = await project(t, ROUTES)
    // The page of the routes' own origin is told nothing: it knows where it is from.
    const own = await site(t)
    fs.writeFileSync(path.join(dir, 'routes/page.mustache'), page('', own.origin, 1))
    const at = { base: '' }
    const listed = await site(t, (origin) => page(at.base, origin, 11))
    const stranger = await site(t, (origin) => page(at.base, origin, 21))
    const { base, store } = await start(t, dir, [listed.origin])
    at.base = base
    t.teardown(() => store.close())

    const nobody = { plain: 'opaque 0', form: 'sent', beacon: true }
    t.match(await visit(t, `${base}/page`, own.told), { json: '200 {"n":1}', form: 'sent', read: '200 {"n":1}' }, 'its own page posts and reads')
    t.match(await visit(t, listed.origin, listed.told), { ...nobody, json: '200 {"n":11}', read: '200 {"n":2}' }, 'so does one that is listed')
    t.match(await visit(t, stranger.origin, stranger.told), { ...nobody, json: 'TypeError', read: 'TypeError' }, 'any other does neither')
    const rows = await store.db.values('select n from t order by n')
    t.same(rows.flat(), [1, 11], 'and nothing that was no JSON has come through, from wherever')
  })
}
