'use strict'

// The header of cookies as strangers write it, and what a request says of its caller.

const t = require('tap')
const { nameOf, readToken, writeCookie } = require('../../lib/kit/session/cookie')
const { ProxyTrust, isProxy, plainAddress } = require('../../lib/base/peer')
const { Visitor, networkOf } = require('../../lib/kit/session/request')
const { random, newSeed } = require('../random')

const token = 'iU7eiu_aWDo7D-6w5-K-Wz2Znp8hXSqUccYBUcFhKMc'
const other = 'AU7eiu_aWDo7D-6w5-K-Wz2Znp8hXSqUccYBUcFhKMc'

const named = header => JSON.stringify(String(header).slice(0, 120)).replace(/[^ -~]/g, '?')

t.test('headers with the token', async (t) => {
  for (const header of [
    `sid=${token}`, `sid="${token}"`, ` sid = ${token} `, `\tsid\t=\t${token}\t`, `sid=${token};`, `;;sid=${token};;`,
    `a=1; sid=${token}; b=2`, `a=1;sid=${token};b=2`, `a="x; sid=${token}`, `a==; sid=${token}`, `=; sid=${token}`, `sid; sid=${token}`,
    `sid=${token}; sid=${token}`, `sid=${token}; SID=${other}`, `sid=${token}; sid2=${other}; xsid=${other}`,
    `sid=${token}; __Host-sid=${other}`, `theme=${'x'.repeat(16_000)}; sid=${token}`, `a=\ud800\u2028; sid=${token}`
  ]) t.equal(readToken(header, 'sid'), token, named(header))
})

t.test('headers without', async (t) => {
  for (const header of [
    undefined, null, 7, {}, [`sid=${token}`], '', ';', '=', 'sid', 'sid=', `sid=${token.slice(1)}`, `sid=${token}x`, `sid=${token}=`,
    `sid="${token}`, `sid=${token}"`, `sid=""${token}""`, `sid='${token}'`, `sid=${token.slice(0, -1)}+`, `sid=${token.slice(0, -1)} `,
    `sid=%69${token.slice(1)}`, `sid=${token.slice(0, 42)}\u0661`, `SID=${token}`, `a=1, sid=${token}`, `sid\u00a0=${token}`, `sid=\u00a0${token}`,
    `sid=${token}; sid=${other}`, `sid=${token}; sid=`, `sid=; sid=${token}`, `sid=${token}; sid=x`, `sid=${token}\0`, `\0sid=${token}`,
    `__Host-sid=${token}`, `$Version=1; $sid=${token}`, `sid=${token}; `.padEnd(40_000, 'a=1; ')
  ]) t.equal(readToken(header, 'sid'), null, named(header))
})

t.test('behind https only what a browser has from this very host', async (t) => {
  t.equal(readToken(`sid=${token}`, nameOf('sid', true)), null)
  t.equal(readToken(`sid=${other}; __Host-sid=${token}`, nameOf('sid', true)), token)
})

t.test('random headers are read without a mistake', async (t) => {
  const seed = newSeed()
  t.comment(`UNDERCROFT_SEED=${seed}`)
  const next = random(seed)
  const bits = ['sid', '=', ';', ' ', '\t', '"', token, other, 'a', ',', '\0', '\u00e9', '__Host-']
  for (let i = 0; i < 20_000; i++) {
    const header = Array.from({ length: next(12) }, () => bits[next(bits.length)]).join('')
    const found = readToken(header, 'sid')
    // What is found stands there as a pair of its own, by a pattern that is written another way.
    const pairs = [...header.matchAll(/(?:^|;)[ \t]*sid[ \t]*=([^;]*)/g)].map(([, value]) => /^[ \t]*(?:"([\w-]{43})"|([\w-]{43}))[ \t]*$/.exec(value)).map(match => match?.[1] ?? match?.[2] ?? null)
    const wanted = pairs.length > 0 && pairs.every(one => one !== null && one === pairs[0]) ? pairs[0] : null
    if (found !== wanted) return t.fail(JSON.stringify({ header, found, wanted }))
  }
  t.pass('each as wanted')
})

t.test('what is set', async (t) => {
  t.equal(writeCookie('sid', token, 60, false), `sid=${token}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax`)
  t.equal(writeCookie('sid', token, 60, true), `__Host-sid=${token}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure`)
  t.equal(writeCookie('sid', '', 0, true), '__Host-sid=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure')
})

// ---- who asks ----------------------------------------------------------------------

const trusting = (...names) => ({ peer: null, trust: new ProxyTrust(names) })
const local = trusting('unix', 'loopback')
const nobody = trusting()
// As routes give it to their option user.
const routed = (raw, ip, headers) => ({ method: 'GET', target: '/', id: 'x', ip, raw, header: name => headers[name] })
const of = (socket, headers = {}) => ({ headers, socket: { destroyed: false, ...socket }, url: '/' })
const https = { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https' }

t.test('a proxy is believed, and nobody else', async (t) => {
  for (const [what, req, options, ip, isSecure] of [
    ['a gateway on this host', of({ remoteAddress: '127.0.0.1' }, https), local, '203.0.113.7', true],
    ['by IPv6', of({ remoteAddress: '::1' }, https), local, '203.0.113.7', true],
    ['by IPv4 in IPv6', of({ remoteAddress: '::ffff:127.0.0.1' }, https), local, '203.0.113.7', true],
    ['by a unix socket', of({}, https), local, '203.0.113.7', true],
    ['a closed connection has no address', of({ destroyed: true }, https), local, null, false],
    ['a stranger', of({ remoteAddress: '198.51.100.1' }, https), local, '198.51.100.1', false],
    ['a stranger who looks like it', of({ remoteAddress: '127.0.0.1.example' }, https), local, null, false],
    ['nobody is a proxy', of({ remoteAddress: '127.0.0.1' }, https), nobody, '127.0.0.1', false],
    ['TLS of our own', of({ remoteAddress: '198.51.100.1', encrypted: true }), local, '198.51.100.1', true],
    ['what the caller claims stands before', of({}, { 'x-forwarded-for': '10.0.0.1, 203.0.113.7' }), local, '203.0.113.7', false],
    ['no address', of({ remoteAddress: '127.0.0.1' }, { 'x-forwarded-for': 'unknown' }), local, '127.0.0.1', false],
    ['through two proxies of ours', of({}, { 'x-forwarded-for': '1.1.1.1, 203.0.113.7, 10.0.0.2, 10.0.0.1' }), trusting('unix', '10.0.0.0/8'), '203.0.113.7', false],
    ['through ours alone', of({}, { 'x-forwarded-for': '10.0.0.2, 10.0.0.1' }), trusting('unix', '10.0.0.0/8'), '10.0.0.2', false],
    ['nonsense before one of ours', of({}, { 'x-forwarded-for': 'x, 10.0.0.1' }), trusting('unix', '10.0.0.0/8'), '10.0.0.1', false],
    ['of a network by IPv6', of({ remoteAddress: '2001:db8::5' }, https), trusting('2001:db8::/32'), '203.0.113.7', true],
    ['an address that is trusted', of({ remoteAddress: '::ffff:10.0.0.1' }, https), trusting('10.0.0.1'), '203.0.113.7', true],
    ['the one beside it', of({ remoteAddress: '10.0.0.2' }, https), trusting('10.0.0.1'), '10.0.0.2', false],
    ['loopback, and only unix is trusted', of({ remoteAddress: '127.0.0.1' }, https), trusting('unix'), '127.0.0.1', false],
    ['of routes on node:http', routed(of({}, https), '203.0.113.7', https), local, '203.0.113.7', true],
    ['of routes on fetch', routed(new Request('http://h/', { headers: https }), '203.0.113.7', https), local, '203.0.113.7', false],
    ['of routes without a server', routed({}, null, https), local, null, false],
    ['an empty one', of({ remoteAddress: '127.0.0.1' }, { 'x-forwarded-for': '' }), local, '127.0.0.1', false],
    ['several of it', of({ remoteAddress: '127.0.0.1' }, { 'x-forwarded-proto': 'https, http' }), local, '127.0.0.1', false],
    ['a target with a scheme', { ...of({ remoteAddress: '198.51.100.1' }), url: 'https://h/' }, local, '198.51.100.1', false],
    ['fetch', new Request('https://h/', { headers: https }), local, null, true],
    ['fetch without TLS', new Request('http://h/', { headers: https }), local, null, false],
    ['fetch behind a gateway', new Request('http://h/', { headers: https }), { ...local, peer: () => '' }, '203.0.113.7', true],
    ['fetch, and its peer', new Request('http://h/', { headers: https }), { ...local, peer: () => '198.51.100.1' }, '198.51.100.1', false]
  ]) {
    const visitor = new Visitor(req, options)
    t.same([visitor.ip, visitor.isSecure], [ip, isSecure], what)
  }
})

t.test('cookies and agents of both kinds of request', async (t) => {
  const headers = { cookie: `a=1; sid=${token}`, 'user-agent': 'x'.repeat(300) }
  for (const req of [of({}, headers), new Request('http://h/', { headers }), routed({}, null, headers)]) {
    const visitor = new Visitor(req, local)
    t.equal(readToken(visitor.cookies, 'sid'), token)
    t.equal(visitor.agent, 'x'.repeat(200))
  }
  const none = new Visitor(of({}), local)
  t.same([none.cookies, none.agent], [null, null])
})

t.test('addresses', async (t) => {
  for (const [text, wanted] of [
    ['1.2.3.4', '1.2.3.4'], [' 1.2.3.4 ', '1.2.3.4'], ['::ffff:1.2.3.4', '1.2.3.4'], ['::FFFF:1.2.3.4', '1.2.3.4'], ['fe80::1%eth0', 'fe80::1'],
    ['2001:db8::1', '2001:db8::1'], ['1.2.3', null], ['1.2.3.4:80', '1.2.3.4'], ['[::1]', '::1'], ['[::1', null], ['::1]', null], ['1.2.3.4:x', null], ['', null], [null, null], [undefined, null], ['x'.repeat(1e6), null]
  ]) t.equal(plainAddress(text), wanted, String(text).slice(0, 40))
  for (const [address, wanted] of [
    ['1.2.3.4', '1.2.3.4'], [null, null], ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'], ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:2:ffff::', '2001:db8:1:2::/64'], ['2001:db8::1', '2001:db8:0:0::/64'], ['127.0.0.1', null], ['::1', null], ['::', '0:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'], ['64:ff9b::1.2.3.4', '64:ff9b:0:0::/64']
  ]) t.equal(networkOf(address), wanted, String(address))
})

t.test('proxies that may be named', async (t) => {
  for (const name of ['unix', 'loopback', '10.0.0.1', '10.0.0.0/8', '0.0.0.0/0', '::1', '2001:db8::/32']) t.ok(isProxy(name), name)
  for (const name of ['', 'all', '10.0.0', '10.0.0.0/33', '::/129', '10.0.0.0/', '/8', 'example.org', '10.0.0.0/8/8']) t.notOk(isProxy(name), name)
})
