'use strict'
// Clients that are not ours: a stock REQ socket of nng, in C, and nngcat.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { execFileSync, execFile } = require('node:child_process')
const { promisify } = require('node:util')
const { decode, frame, start } = require('./raw')
const helper = require('../helper')

const run = promisify(execFile)
const dir = path.join(helper.root, 'test/c')
const has = command => process.env.PATH.split(path.delimiter).some(place => fs.existsSync(path.join(place, command)))

t.test('a stock nng socket, several requests in flight', async t => {
  execFileSync('make', ['-s', '-C', dir, 'build/plain/nng_req'], { stdio: 'pipe' })
  const daemon = await start(t)
  const frames = [
    [16, 1, null, 'create table t(a)'],
    ...Array.from({ length: 30 }, (_, i) => [1, 10 + i, null, `ping ${i}`]),
    [52, 99, null],
    [5, 50, null, 1]
  ]
  const { stdout } = await run(path.join(dir, 'build/plain/nng_req'),
    [`ipc://${daemon.socket}`, ...frames.map(value => frame(value).toString('hex'))])
  const replies = stdout.trim().split('\n').map(line => Buffer.from(line, 'hex'))
  t.equal(replies.length, frames.length)
  replies.forEach((reply, i) => t.equal(reply.readUInt32BE(2), frames[i][1], 'its own frame id'))
  t.equal(replies[0][6], 3, 'a statement has run')
  t.equal(decode(replies[7].subarray(7)), 'ping 6')
  t.match(decode(replies[31].subarray(7)), { door: 'ipc', pid: daemon.pid })
  t.match(decode(replies[32].subarray(7)), { code: 'UC_FRAME' }, 'an error reaches it as well')
})

t.test('nngcat', { skip: !has('nngcat') && 'nngcat is not installed (nng-utils)' }, async t => {
  const daemon = await start(t)
  const file = path.join(daemon.dir, 'request')
  fs.writeFileSync(file, Buffer.from('940107c0a26869', 'hex')) // [1, 7, nil, "hi"], as in csrc/WIRE.md
  const { stdout } = await run('nngcat', ['--req', '--dial', `ipc://${daemon.socket}`, '--raw', '--file', file], { encoding: 'buffer' })
  t.equal(stdout.toString('hex'), '93ce0000000700a26869')
})
