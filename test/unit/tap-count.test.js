'use strict'
// What the last line of `npm test` adds up.

const t = require('tap')
const { tapCounter } = require('../tap-count')

function count (text, size = text.length) {
  const tap = tapCounter()
  for (let at = 0; at < text.length; at += size) tap.write(text.slice(at, at + size))
  const { passed, failed, skipped, failures } = tap.end()
  return { passed, failed, skipped, failures }
}

const nested = [
  'TAP version 14',
  '# Subtest: one',
  '    ok 1 - a',
  '    # Subtest: inner',
  '        # said before b',
  '        ok 1 - b',
  '        # said before c',
  '        not ok 2 - c',
  '          ---',
  '          found: |',
  '            ok 7 - not a point',
  '          ...',
  '        1..2',
  '    not ok 2 - inner # time=1ms',
  '    1..2',
  'not ok 1 - one # time=2ms',
  '  ---',
  '  at: x',
  '  ...',
  'ok 2 - two',
  'ok 3 - later # SKIP no disk',
  'not ok 4 - some day # TODO',
  '1..4',
  ''
].join('\n')

t.test('leaves are counted, not the lines that sum them up', async t => {
  t.same(count(nested), {
    passed: 3,
    failed: 1,
    skipped: 2,
    failures: ['one > inner > c\n        # said before c\n          found: |\n            ok 7 - not a point\n          ...']
  })
})

t.test('in pieces as in one', async t => {
  for (const size of [1, 7, 50]) t.same(count(nested, size), count(nested))
})

t.test('a subtest that fails without a failing point counts once', async t => {
  const { passed, failed, failures } = count('    ok 1 - a\n    1..1\nnot ok 1 - timed out\n1..1\n')
  t.same([passed, failed, failures], [1, 1, ['timed out']])
})

t.test('a stream that ends early is a failure', async t => {
  t.equal(count('ok 1 - a\n').failed, 1)
  t.equal(count('').failed, 1)
  t.equal(count('1..0 # skip not here\n').failed, 0)
  t.equal(count('ok 1 - a\nBail out! no disk\n').failed, 1)
})
