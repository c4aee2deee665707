'use strict'

// What the benchmark of the log believes its files and percentiles by.

const fs = require('node:fs')
const path = require('node:path')
const zlib = require('node:zlib')
const t = require('tap')
const { FIRST, examine, verify } = require('../../bench/lib/log-lines')
const { Histogram } = require('../../bench/lib/histogram')
const { exact, tmpdir } = require('../helper')

const line = i => `{"level":30,"reqId":${FIRST + i},"msg":"request done"}\n`
const some = (from, count) => Array.from({ length: count }, (_, i) => line(from + i)).join('')

function written (t, text, name = 'lines.log') {
  const file = path.join(tmpdir(t), name)
  fs.writeFileSync(file, name.endsWith('.gz') ? zlib.gzipSync(text) : text)
  return { file, from: 0 }
}

t.test('whole lines pass, in files, archives and from an offset', async t => {
  const plain = written(t, `{"msg":"the logger's own"}\n${some(0, 100)}`)
  const archive = written(t, some(100, 50), 'lines.log.gz')
  verify([plain, archive], [{ from: 0, count: 150 }])
  verify([{ ...plain, from: fs.statSync(plain.file).size - 10 * line(0).length }], [{ from: 90, count: 10 }])
  verify([archive, plain], [{ from: 0, count: 20 }, { from: 20, count: 130 }])
})

t.test('a file of several chunks', async t => {
  const count = 150000
  verify([written(t, some(0, count))], [{ from: 0, count }])
})

t.test('lost, doubled, torn and foreign lines are told apart', async t => {
  const found = (text, ranges = [{ from: 0, count: 3 }]) => examine([written(t, text)], ranges)
  exact(t, found(some(0, 3)), { lost: 0, twice: 0, torn: 0 })
  exact(t, found(some(0, 2)), { lost: 1, twice: 0, torn: 0 })
  exact(t, found(some(0, 3) + line(1)), { lost: 0, twice: 1, torn: 0 })
  exact(t, found(some(0, 2) + line(2).slice(0, -4)), { lost: 1, twice: 0, torn: 1 })
  exact(t, found(some(0, 2) + line(2).slice(5)), { lost: 1, twice: 0, torn: 1 })
  exact(t, found(some(0, 4)), { lost: 0, twice: 0, torn: 1 })
  t.throws(() => verify([written(t, some(0, 2))], [{ from: 0, count: 3 }]), /1 are missing/)
})

t.test('percentiles are exact to one part in 64', async t => {
  const h = new Histogram()
  const values = []
  let x = 1
  for (let i = 0; i < 20000; i++) {
    x = (x * 48271) % 2147483647
    values.push(x >>> (x % 29))
    h.add(values[i])
  }
  values.sort((a, b) => a - b)
  for (const q of [0.01, 0.25, 0.5, 0.9, 0.999, 1]) {
    const exactly = values[Math.ceil(q * values.length) - 1]
    const told = h.quantile(q)
    t.ok(Math.abs(told - exactly) <= exactly / 64, `${q}: ${told} for ${exactly}`)
  }
  t.equal(h.max, values.at(-1))
  t.ok(Number.isNaN(new Histogram().quantile(0.5)))
})
