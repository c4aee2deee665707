'use strict'
// What deploy/quote.js writes, a real shell has to read as what went in.

const { execFileSync } = require('node:child_process')
const t = require('tap')
const { quote, quoteAll } = require('../../deploy/quote')

// printf repeats its format for each argument: words that end with a NUL.
function read (shell, words) {
  const out = execFileSync(shell, ['-c', `printf '%s\\0' ${quoteAll(words)}`], { encoding: 'utf8' })
  return out.split('\0').slice(0, words.length)
}

const evil = [
  '', ' ', '\t', '\n', "'", "''", "'\\''", '"', '\\', '\\\\', '$HOME', '${HOME}', '$(id)', '`id`', // eslint-disable-line no-template-curly-in-string
  ';id', '&&', '|', '>', '<', '*', '?', '[a]', '{a,b}', '~', '~root', '#', '!', '!!', '%', '=', 'a=b', '-', '--', '-n',
  '\u0001', '\u007f', 'é', '日本', '😀', "a'b\"c\\d $e `f` \n g", "end with '", "' start"
]

t.test('a shell gets back what was quoted', async t => {
  for (const shell of ['/bin/sh', '/bin/bash']) t.strictSame(read(shell, evil), evil, shell)
})

t.test('so it does with words made at random', async t => {
  const letters = ["'", '"', '\\', '$', '`', ' ', '\n', ';', '*', '~', '!', 'a', 'é', '(', ')', '{', '}', '#', '&', '|', '<', '>', '=']
  let seed = 7
  const next = below => {
    // Numerical Recipes' generator: the same words on each run.
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return Math.floor(seed / 2 ** 32 * below)
  }
  const words = Array.from({ length: 2000 }, () => Array.from({ length: next(12) }, () => letters[next(letters.length)]).join(''))
  t.strictSame(read('/bin/sh', words), words)
})

t.test('plain words stay readable', async t => {
  for (const word of ['/usr/bin/node', 'a-b_c.d:e@f,g%h+i', 'a=b', '-e']) t.equal(quote(word), word)
  t.equal(quote('a b'), "'a b'")
  t.equal(quote('=a'), "'=a'", 'zsh would take it as the path of a command')
})

t.test('what no argument can hold is refused', async t => {
  t.throws(() => quote('a\0b'), { code: 'UC_DEPLOY_QUOTE' })
  t.throws(() => quote(1), TypeError)
})
