'use strict'

// node bench/techempower/verify.js URL [FILE]
//
// Asks a server the seven tests of TechEmpower's benchmark and checks its answers by
// their rules (rules.js). FILE is the database that it serves: then it is looked at
// whether updates change it. `--post`: updates are a POST.

const rules = require('./rules')
const { asker } = require('../lib/http-ask')
const { numbersIn } = require('../lib/http-numbers')

const TESTS = ['json', 'plaintext', 'db', 'queries', 'fortunes', 'updates', 'cached']

// Every answer lacks it, or none does.
const namelessOnce = problem => problem.endsWith(rules.NO_NAME) ? rules.NO_NAME : problem

/** [{ test, problems }] of each test. */
async function verify (url, options) {
  const ask = asker(url)
  const found = []
  for (const test of TESTS) {
    const problems = await rules[test](ask, options).catch(err => [err.message])
    found.push({ test, problems: [...new Set(problems.map(namelessOnce))] })
  }
  return found
}

async function main (args) {
  const [url, file] = args.filter(arg => !arg.startsWith('--'))
  if (url === undefined) throw new Error('usage: node bench/techempower/verify.js [--post] URL [FILE]')
  const numbersOf = file === undefined ? undefined : numbersIn(file)
  const found = await verify(url, { post: args.includes('--post'), numbersOf })
  for (const { test, problems } of found) {
    console.log(`${test.padEnd(10)} ${problems.length === 0 ? 'ok' : problems.join('\n           ')}`)
  }
  if (found.some(({ problems }) => problems.length > 0)) process.exitCode = 1
}

if (require.main === module) {
  main(process.argv.slice(2)).catch(err => {
    console.error(err.message)
    process.exitCode = 1
  })
}

module.exports = { verify }
