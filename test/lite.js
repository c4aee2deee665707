'use strict'
// The part of tap's interface that our suites use, small and free of anything
// but what every runtime has: tap itself needs parts of node:v8 that Bun lacks.
// It writes TAP to stdout and sets the exit code. test/lite-preload.js makes
// `require('tap')` answer with this; test/parts.js says where.

const util = require('node:util')
const { writeSync } = require('node:fs')
const { equal, matches } = require('./lite-compare')

class Test {
  #parent
  #indent
  #queue = Promise.resolve()
  #hooks = { before: [], beforeEach: [], afterEach: [], teardown: [] }
  #count = 0
  #failed = 0
  #planned = null
  #over = withResolvers()
  #isOver = false
  #timer = null

  constructor (name, parent = null) {
    this.name = name
    this.fullname = parent && parent.name ? `${parent.fullname} > ${name}` : name
    this.#parent = parent
    this.#indent = parent ? `${parent.#indent}    ` : ''
  }

  // ---- assertions ----------------------------------------------------------

  ok (value, ...message) {
    return this.#point(Boolean(value), message, 'expect truthy value', () => ({ found: value }))
  }

  notOk (value, ...message) {
    return this.#point(!value, message, 'expect falsey value', () => ({ found: value }))
  }

  equal (found, wanted, ...message) {
    return this.#point(Object.is(found, wanted) || found === wanted, message, 'should be equal',
      () => ({ found, wanted }))
  }

  not (found, unwanted, ...message) {
    return this.#point(!Object.is(found, unwanted), message, 'should not be equal', () => ({ found }))
  }

  same (found, wanted, ...message) {
    return this.#point(equal(found, wanted, false), message, 'should be equivalent',
      () => ({ found, wanted }))
  }

  notSame (found, unwanted, ...message) {
    return this.#point(!equal(found, unwanted, false), message, 'should not be equivalent', () => ({ found }))
  }

  strictSame (found, wanted, ...message) {
    return this.#point(equal(found, wanted, true), message, 'should be equivalent strictly',
      () => ({ found, wanted }))
  }

  match (found, pattern, ...message) {
    return this.#point(matches(found, pattern), message, 'should match pattern',
      () => ({ found, pattern }))
  }

  notMatch (found, pattern, ...message) {
    return this.#point(!matches(found, pattern), message, 'should not match pattern',
      () => ({ found, pattern }))
  }

  type (found, wanted, ...message) {
    const kind = typeof found
    const fits = typeof wanted === 'function' ? found instanceof wanted : kind === wanted
    return this.#point(fits, message, `type is ${wanted.name || wanted}`, () => ({ found }))
  }

  throws (fn, ...rest) {
    const { wanted, message } = expectation(rest)
    let error
    let thrown = false
    try {
      fn()
    } catch (err) {
      error = err
      thrown = true
    }
    this.#judge(thrown, error, wanted, message, 'expected to throw')
    return thrown && error
  }

  doesNotThrow (fn, ...message) {
    try {
      fn()
    } catch (err) {
      return this.#point(false, message, 'expected to not throw', () => ({ found: err }))
    }
    return this.#point(true, message, 'expected to not throw')
  }

  async rejects (work, ...rest) {
    const { wanted, message } = expectation(rest)
    let error
    let thrown = false
    try {
      await (typeof work === 'function' ? work() : work)
    } catch (err) {
      error = err
      thrown = true
    }
    this.#judge(thrown, error, wanted, message, 'expected to reject')
    return error
  }

  async resolves (work, ...message) {
    try {
      await (typeof work === 'function' ? work() : work)
    } catch (err) {
      return this.#point(false, message, 'expected to resolve', () => ({ found: err }))
    }
    return this.#point(true, message, 'expected to resolve')
  }

  pass (...message) {
    return this.#point(true, message, 'pass')
  }

  fail (...message) {
    return this.#point(false, message, 'fail')
  }

  error (err, ...message) {
    return this.#point(!err, message, 'should not be an error', () => ({ found: err }))
  }

  #judge (thrown, error, wanted, message, text) {
    const fits = thrown && (wanted === undefined || matches(error, errorPattern(wanted)))
    return this.#point(fits, [message], text, () => thrown ? { found: error, wanted } : {})
  }

  #point (ok, [message], text, details) {
    // tap takes (message, extra) as well as (extra); only a string is a name.
    const name = typeof message === 'string' ? message : text
    this.#report(ok, name, details && !ok ? details() : null, ok ? '' : callSite())
    return ok
  }

  #report (ok, name, details = null, at = '', directive = '') {
    if (this.#isOver && ok) return
    this.#count++
    if (!ok) this.#failed++
    this.#say(`${ok ? 'ok' : 'not ok'} ${this.#count} - ${escape(name)}${directive}`)
    if (!ok) {
      this.#say('  ---')
      if (at) this.#say(`  at: ${at}`)
      for (const [key, value] of Object.entries(details || {})) {
        const text = util.inspect(value, { depth: 6, maxStringLength: 2000 })
        this.#say(`  ${key}: |`)
        for (const line of text.split('\n')) this.#say(`    ${line}`)
      }
      this.#say('  ...')
    }
    if (this.#isOver) process.exitCode = 1
    if (this.#planned !== null && this.#count === this.#planned) this.end()
  }

  #say (line) {
    write(`${this.#indent}${line}\n`)
  }

  // ---- flow ----------------------------------------------------------------

  // One after the other, in the order of the calls. The promise is settled when
  // the subtest is over, whether it passed or not.
  test (name, ...rest) {
    const fn = rest.find(arg => typeof arg === 'function')
    const options = rest.find(arg => typeof arg === 'object' && arg !== null) || {}
    if (typeof name === 'function') return this.test(name.name || 'unnamed', name)
    const run = async () => {
      const reason = options.skip || options.todo
      if (!fn || reason) {
        const kind = options.skip ? 'SKIP' : 'TODO'
        this.#report(true, name, null, '', ` # ${kind} ${typeof reason === 'string' ? reason : ''}`.trimEnd())
        return
      }
      const child = new Test(name, this)
      this.#say(`# Subtest: ${escape(name)}`)
      const started = Date.now()
      const ok = await child.#run(fn, options)
      this.#report(ok, name, null, '', ` # time=${Date.now() - started}ms`)
    }
    this.#queue = this.#queue.then(run)
    return this.#queue
  }

  skip (name, ...rest) {
    return this.test(name, { skip: true }, ...rest.filter(arg => typeof arg === 'function'))
  }

  todo (name) {
    return this.test(name, { todo: true })
  }

  async #run (fn, options) {
    this.setTimeout(options.timeout ?? 0)
    const lineage = this.#lineage()
    try {
      for (const hook of lineage.flatMap(test => test.#hooks.beforeEach)) await hook(this)
      current = this
      const result = fn.call(this, this)
      const isPromise = typeof result?.then === 'function'
      await Promise.race([isPromise ? result : null, this.#over.promise].filter(Boolean))
      await this.#drain()
      if (isPromise || this.#isOver) this.end()
      await this.#over.promise
    } catch (err) {
      this.#fault(err)
    }
    clearTimeout(this.#timer)
    await this.#clean(lineage.flatMap(test => test.#hooks.afterEach).reverse())
    current = this.#parent
    this.#close()
    return this.#failed === 0
  }

  async #clean (hooks) {
    for (const hook of [...hooks, ...this.#hooks.teardown.reverse()]) {
      try {
        await hook(this)
      } catch (err) {
        this.#fault(err)
      }
    }
    this.#hooks.teardown = []
  }

  #close () {
    if (this.#planned !== null && this.#planned !== this.#count) {
      this.#report(false, `planned ${this.#planned} tests, ran ${this.#count}`)
    }
    this.#isOver = true
    this.#say(`1..${this.#count}`)
  }

  // An error nobody asserted about: a failed point of this test.
  #fault (err) {
    this.#report(false, err?.message ? String(err.message).split('\n')[0] : String(err), { error: err })
  }

  async #drain () {
    let queue
    do {
      queue = this.#queue
      await queue
    } while (queue !== this.#queue)
  }

  #lineage () {
    const list = []
    for (let test = this.#parent; test; test = test.#parent) list.unshift(test)
    return list
  }

  end () {
    this.#over.resolve()
    if (!this.#parent) finish()
  }

  plan (count) {
    this.#planned = count
    if (count === 0) this.end()
  }

  setTimeout (ms) {
    clearTimeout(this.#timer)
    if (!ms || !this.#parent) return
    this.#timer = setTimeout(() => {
      this.#over.reject(new Error(`timeout: not over after ${ms} ms`))
    }, ms)
  }

  before (fn) {
    this.#queue = this.#queue.then(() => fn(this))
  }

  beforeEach (fn) {
    this.#hooks.beforeEach.push(fn)
  }

  afterEach (fn) {
    this.#hooks.afterEach.push(fn)
  }

  teardown (fn) {
    this.#hooks.teardown.push(fn)
  }

  after (fn) {
    this.teardown(fn)
  }

  comment (...args) {
    for (const line of util.format(...args).split('\n')) this.#say(`# ${line}`)
  }

  bailout (reason = '') {
    write(`Bail out! ${reason}\n`)
    process.exit(1)
  }

  // ---- the root's life -----------------------------------------------------

  async finishRoot () {
    await this.#drain()
    await this.#clean([])
    this.#close()
    if (this.#failed) process.exitCode = 1
  }

  // Nobody knows what such a test was still waiting for: it is over.
  caught (err) {
    this.#fault(err)
    this.#over.resolve()
  }

  get isOver () {
    return this.#isOver
  }
}

function withResolvers () {
  const it = {}
  it.promise = new Promise((resolve, reject) => Object.assign(it, { resolve, reject }))
  return it
}

// throws(fn), throws(fn, 'message'), throws(fn, pattern, 'message')
function expectation (rest) {
  if (typeof rest[0] === 'string') return { message: rest[0] }
  return { wanted: rest[0], message: rest.find(arg => typeof arg === 'string') }
}

// An Error as a pattern stands for its name, its message and what was added.
function errorPattern (wanted) {
  if (!(wanted instanceof Error)) return wanted
  return { name: wanted.name, message: wanted.message, ...wanted }
}

function escape (text) {
  return String(text).replace(/[\n\r]+/g, ' ').replace(/#/g, '\\#')
}

function callSite () {
  const line = new Error().stack.split('\n').slice(1)
    .find(frame => !frame.includes(__filename) && !frame.includes('node:internal'))
  return line ? line.trim().replace(/^at /, '') : ''
}

// Written at once: a test may end its process at any time.
function write (text) {
  const bytes = Buffer.from(text)
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(1, bytes, done)
    } catch (err) {
      if (err.code !== 'EAGAIN') throw err
    }
  }
}

const root = new Test('')
let current = root
let finishing = null

function finish () {
  finishing ??= root.finishRoot()
}

process.on('uncaughtException', err => (current || root).caught(err))
process.on('unhandledRejection', err => (current || root).caught(err))
process.on('beforeExit', finish)
process.on('exit', () => {
  if (!root.isOver) {
    write(`not ok - the process ended before the test "${current?.fullname || 'root'}" did\n`)
    process.exitCode = 1
  }
})

write('TAP version 14\n')

module.exports = root
