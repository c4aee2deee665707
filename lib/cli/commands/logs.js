'use strict'
// npx undercroft logs: the lines of a log's directory, archives included.

const fs = require('node:fs')
const path = require('node:path')
const { recover } = require('../../log/sinks/ring')
const { readLog } = require('../../log/options')
const { filesOf, notBefore, notAfter, linesOf, Follower } = require('../../log/read')
const { numbers } = require('../../log/levels')
const { pretty, parse, glance, plain, twice, wantsColours } = require('../../log/pretty')

const help = `
Shows the lines in the directory of a log, the oldest first, for people, or with
--json as they are. Archives are read too. What a process that was killed has left in
its ring is brought into the files first.

  npx undercroft logs --dir logs --since 2h --level warn
  npx undercroft logs --dir logs --field status=500 --field err.code=UC_BUSY --grep /sao/i
  npx undercroft logs --dir logs --follow
`

const POLL_MS = 100
const FOLLOWED = 10

const UNITS = { s: 1000, m: 60000, h: 3600000, d: 86400000, w: 7 * 86400000 }

class WrongOption extends Error {}

// 90s, 30m, 2h, 7d, 2w ago; a day or a moment as ISO 8601 writes them, in the zone in
// which times are shown unless they name another.
function readTime (name, text, now) {
  if (text === undefined) return undefined
  const ago = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(text)
  if (ago !== null) return now - Number(ago[1]) * UNITS[ago[2]]
  const day = /^\d{4}-\d{2}(-\d{2})?$/.exec(text)
  const time = day !== null ? Date.parse(`${text}${day[1] === undefined ? '-01' : ''}T00:00`) : /^\d{4}-\d{2}/.test(text) ? Date.parse(text) : NaN
  if (Number.isNaN(time)) throw new WrongOption(`--${name} is a time such as 2h, 2026-11-01 or 2026-11-01T10:00:00Z, not ${JSON.stringify(text)}`)
  return time
}

function readLevel (text) {
  if (text === undefined) return 0
  const number = numbers[text] ?? (/^\d{1,9}$/.test(text) ? Number(text) : undefined)
  if (number === undefined) throw new WrongOption(`--level is one of ${Object.keys(numbers).join(', ')}, or a number such as 40, not ${JSON.stringify(text)}`)
  return number
}

function readGrep (text) {
  if (text === undefined) return () => true
  const match = /^\/(.+)\/([imsu]*)$/.exec(text)
  if (match === null) return (line) => line.includes(text)
  try {
    const pattern = new RegExp(match[1], match[2])
    return (line) => pattern.test(line)
  } catch (err) {
    throw new WrongOption(`--grep: ${err.message}`)
  }
}

function readField (text) {
  const at = text.indexOf('=')
  if (at < 1) throw new WrongOption(`--field is a name and a value such as status=500, not ${JSON.stringify(text)}`)
  const steps = text.slice(0, at).split('.')
  const wanted = text.slice(at + 1)
  return (object) => {
    // A name may have points in it itself.
    let value = object[text.slice(0, at)]
    if (value === undefined) value = steps.reduce((inner, step) => inner?.[step], object)
    return is(value, wanted) || is(twice(object, text.slice(0, at)), wanted)
  }
}

// What the text of a line holds that has such a field. Looking for it costs a third of
// parsing the line. A value that may be written in several ways is not looked for.
function textsOf (field) {
  const at = field.indexOf('=')
  const name = field.slice(0, at)
  const value = field.slice(at + 1)
  const [first] = name.split('.')
  const texts = []
  if (PLAIN.test(first)) texts.push(`"${first}`)
  if (WORD.test(value) && !name.split('.').includes('length')) texts.push(value)
  return texts
}

const PLAIN = /^[\w -]+$/
const WORD = /^[\w.-]+$/

function is (value, wanted) {
  return typeof value === 'object' ? JSON.stringify(value) === wanted : value !== undefined && String(value) === wanted
}

function readLines ({ lines: text, follow, since }) {
  if (text === undefined) return follow && since === undefined ? FOLLOWED : Infinity
  const count = Number(text)
  if (!Number.isInteger(count) || count < 0) throw new WrongOption(`--lines is a number of lines, not ${JSON.stringify(text)}`)
  return count
}

/** What the command line asks for; `matches(line)` -> the parsed line, null for text, or undefined. */
function readQuery (values, now = Date.now()) {
  const since = readTime('since', values.since, now)
  const until = readTime('until', values.until, now)
  const level = readLevel(values.level)
  const hasText = readGrep(values.grep)
  const fields = (values.field ?? []).map(readField)
  const texts = (values.field ?? []).flatMap(textsOf)
  const isOpen = since === undefined && until === undefined && level === 0 && fields.length === 0
  const isOut = (object) => object.level < level || object.time < since || object.time > until
  return {
    since,
    until,
    lines: readLines(values),
    matches (line) {
      if (!hasText(line)) return undefined
      if (!isOpen) {
        // What the text alone tells; parsing costs more than all the rest.
        const head = glance(line)
        if (head !== undefined && isOut(head)) return undefined
        for (const text of texts) if (!line.includes(text)) return undefined
      }
      const object = parse(line)
      // What is no line of ours can be looked for by its text alone.
      if (object === undefined) return isOpen ? null : undefined
      if (isOut(object)) return undefined
      return fields.every((has) => has(object)) ? object : undefined
    }
  }
}

async function run ({ values, say, exitCodes }) {
  const { dir = 'logs', name } = values
  let query
  let files
  try {
    query = readQuery(values)
    bringIn(dir, name, say)
    files = filesOf(dir, name)
  } catch (err) {
    if (!(err instanceof WrongOption) && err.code === undefined) throw err
    say(err instanceof WrongOption ? err.message : err.code === 'ENOENT' ? `there is no directory ${dir}: --dir names that of the log` : err.message)
    return err instanceof WrongOption ? exitCodes.usage : exitCodes.failed
  }
  if (files.length === 0 && !values.follow) {
    say(`there are no files of a log in ${dir}`)
    return exitCodes.ok
  }
  const out = new Output(values.json === true)
  // It goes on where the reading ends: nothing that comes meanwhile is missed or shown twice.
  const follower = values.follow ? new Follower(dir, name, files) : null
  const late = query.since === undefined ? files : notBefore(files, query.since)
  const wanted = query.until === undefined ? late : await notAfter(late, query.until, (line) => parse(line)?.time)
  const code = await show(wanted, query, out, { follower, say, exitCodes })
  return follower === null ? code : follow(follower, query, out, { say, exitCodes })
}

async function follow (follower, query, out, { say, exitCodes }) {
  while (!out.isOver) {
    try {
      for await (const line of follower.more()) await out.line(line, query.matches(line))
    } catch (err) {
      if (err.code === undefined) throw err
      say(err.code === 'UC_LOG_IO' ? err.message : `the log cannot be followed any more: ${err.message}`)
      // After an archive that is damaged there may be more.
      if (err.code !== 'UC_LOG_IO') return exitCodes.failed
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  follower.close()
  return exitCodes.ok
}

// What dead processes have left in their rings, where there is somebody to read it.
function bringIn (dir, name, say) {
  try {
    const rings = fs.readdirSync(path.join(dir, '.rings')).some((entry) => entry.endsWith('.ring'))
    if (!rings) return
    const [newest] = filesOf(dir, name).reverse()
    recover(readLog({ dir, file: name ?? newest?.name }))
  } catch (err) {
    // There are still the files.
    if (['ENOENT', 'ENOTDIR'].includes(err.code)) return
    const rings = path.join(dir, '.rings')
    const why = ['UC_ACCESS', 'EACCES'].includes(err.code)
      ? `this user may not bring in what is in ${rings}; the log's own user and root may`
      : err.code === 'UC_NO_ADDON' ? `without the addon nothing here reads ${rings}` : err.message
    say(`the last lines of a process that was killed may be missing: ${why}`)
  }
}

async function show (files, query, out, { follower, say, exitCodes }) {
  const read = (file) => linesOf(file, follower?.beginOf(file))
  let code = exitCodes.ok
  const damaged = (err) => {
    if (err.code !== 'UC_LOG_IO') throw err
    say(err.message)
    code = err.lacking === true ? exitCodes.lacking : exitCodes.failed
  }
  if (query.lines === Infinity) {
    for (const file of files) {
      try {
        for await (const line of read(file)) {
          await out.line(line, query.matches(line))
          if (out.isOver) return exitCodes.ok
        }
      } catch (err) {
        damaged(err)
      }
    }
    return code
  }
  // The last ones: from the newest file back, until there are enough.
  let last = []
  for (const file of files.toReversed()) {
    if (last.length >= query.lines) break
    const own = []
    try {
      for await (const line of read(file)) {
        const object = query.matches(line)
        if (object === undefined) continue
        own.push([line, object])
        if (own.length > 2 * query.lines) own.splice(0, own.length - query.lines)
      }
    } catch (err) {
      damaged(err)
    }
    last = own.concat(last)
  }
  for (const [line, object] of query.lines === 0 ? [] : last.slice(-query.lines)) await out.line(line, object)
  return code
}

/** Lines to stdout, at its pace. */
class Output {
  #json
  #colours = wantsColours(process.stdout.isTTY === true)

  constructor (json) {
    this.#json = json
    // Nobody reads any more.
    this.isOver = false
    process.stdout.on('error', (err) => {
      if (err.code !== 'EPIPE') throw err
      this.isOver = true
    })
  }

  async line (line, object) {
    if (object === undefined || this.isOver) return
    const text = this.#json ? `${line}\n` : object === null ? `${plain(line)}\n` : pretty(line, this.#colours, object, { date: true })
    if (process.stdout.write(text)) return
    await new Promise((resolve) => {
      const go = () => {
        process.stdout.off('drain', go).off('error', go).off('close', go)
        resolve()
      }
      process.stdout.on('drain', go).on('error', go).on('close', go)
    })
  }
}

module.exports = {
  name: 'logs',
  summary: 'the lines of a log: filtered, followed, archives included',
  usage: 'logs [--dir DIR] [--name NAME] [--since 2h] [--until 1h] [--level warn]\n' +
    '                           [--grep text] [--field status=500] [--lines N] [--follow] [--json]',
  help,
  options: {
    dir: { type: 'string', help: 'the directory of the log; without it logs' },
    name: { type: 'string', help: 'only the log of this name, when there are several' },
    since: { type: 'string', help: 'not older: 90s, 30m, 2h, 7d, 2026-11-01, 2026-11-01T10:00; local time, as is shown, but with Z' },
    until: { type: 'string', help: 'not newer' },
    level: { type: 'string', help: 'at least: trace, debug, info, warn, error, fatal, or a number' },
    grep: { type: 'string', help: 'lines that hold the text, or match a /pattern/i' },
    field: { type: 'string', multiple: true, help: 'lines with such a field: status=500, err.code=UC_BUSY; all that are given' },
    lines: { type: 'string', short: 'n', help: 'only the last of them; with --follow and without --since: 10' },
    follow: { type: 'boolean', short: 'f', help: 'go on with what comes, over rotation' },
    json: { type: 'boolean', help: 'the lines as they are, one JSON value each' }
  },
  run,
  readQuery
}
