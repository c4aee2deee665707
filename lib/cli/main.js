#!/usr/bin/env node
'use strict'
// npx undercroft <command>: finds the command, reads its options, maps what goes
// wrong to an exit code. Data goes to stdout, everything said to stderr.

const { parseArgs } = require('node:util')
const { version } = require('../../package.json')
const { nearest } = require('../base/did-you-mean')

// One file a command: { name, summary, usage, help, options, run(ctx) }, loaded
// when it is asked for. `options` is what parseArgs takes; run gets
// { values, positionals, say, print } and may return an exit code. A command
// with `raw` gets { args } unread; about(word) -> the { usage, help, options } of
// an action, where a command has several.
const commands = {
  serve: () => require('./commands/serve'),
  status: () => require('./commands/status'),
  stats: () => require('./commands/stats'),
  ping: () => require('./commands/ping'),
  logs: () => require('./commands/logs'),
  deploy: () => require('./commands/deploy'),
  build: () => require('./commands/build'),
  copy: () => require('./commands/copy'),
  pg: () => require('./commands/pg'),
  new: () => require('./commands/new'),
  crud: () => require('./commands/crud'),
  routes: () => require('./commands/routes')
}

const exitCodes = {
  ok: 0,
  failed: 1, // the command could not do its work
  usage: 2, // the command line is wrong
  lacking: 3 // the machine lacks something; stderr says what
}

class UsageError extends Error {}

const common = {
  help: { type: 'boolean', short: 'h' },
  json: { type: 'boolean' }
}

async function main (argv) {
  const [name, ...args] = argv
  if (name === '--version' || name === '-v') {
    console.log(version)
    return exitCodes.ok
  }
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    if (name === 'help' && args[0]) return run(args[0], ['--help'])
    const talk = name === undefined ? console.error : console.log
    talk(overview())
    return name === undefined ? exitCodes.usage : exitCodes.ok
  }
  return run(name, args)
}

async function run (name, args) {
  if (!Object.hasOwn(commands, name)) {
    const near = nearest(name, Object.keys(commands))
    throw new UsageError(`there is no command '${name}'${near ? `: did you mean '${near}'?` : ''}`)
  }
  const command = commands[name]()
  const { values, positionals } = command.raw ? { values: {}, positionals: [] } : parse(command, args)
  if (values.help) {
    console.log(describe(command.about?.(positionals[0]) ?? command))
    return exitCodes.ok
  }
  const code = await command.run({
    args,
    values,
    positionals,
    exitCodes,
    say: text => { console.error(text) },
    // The answer, as one JSON value or as its text.
    print: (value, text) => { console.log(values.json ? JSON.stringify(value) : text) }
  })
  return code ?? exitCodes.ok
}

function parse (command, args) {
  try {
    return parseArgs({
      args,
      options: { ...common, ...command.options },
      allowPositionals: Boolean(command.positionals)
    })
  } catch (err) {
    if (!err.code?.startsWith('ERR_PARSE_ARGS')) throw err
    throw new UsageError(`undercroft ${command.name}: ${err.message.split('. ')[0]}${meant(err, command)}`)
  }
}

function meant (err, command) {
  const [, name] = err.code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' ? /'--([^'=]+)/.exec(err.message) ?? [] : []
  const near = name === undefined ? null : nearest(name, Object.keys({ ...common, ...command.options }))
  return near === null ? '' : `: did you mean '--${near}'?`
}

function overview () {
  const lines = Object.values(commands).map(load => {
    const { name, summary } = load()
    return `  ${name.padEnd(12)} ${summary}`
  })
  return [
    'usage: npx undercroft <command> [options]',
    '',
    ...lines,
    '',
    'npx undercroft help <command> says more; --version prints the version.',
    'Every command takes --json: its answer on stdout is then one JSON value; of logs and deploy, one a line.'
  ].join('\n')
}

function describe ({ usage, help, options }) {
  const rows = Object.entries({ ...options, ...common, ...options }).map(([name, option]) => {
    const short = option.short ? `-${option.short}, ` : ''
    const what = option.help || { help: 'this text', json: 'the answer as one JSON value' }[name]
    return `  ${`${short}--${name}`.padEnd(16)} ${what}`
  })
  const codes = Object.entries(exitCodes).map(([name, code]) => `${code} ${name}`).join(', ')
  return [`usage: npx undercroft ${usage}`, '', help.trim(), '', ...rows, '', `exit codes: ${codes}`].join('\n')
}

module.exports = { commands, exitCodes, main }

if (require.main === module) {
  main(process.argv.slice(2)).then(code => { process.exitCode = code }, err => {
    console.error(err instanceof UsageError ? `${err.message}\n\n${overview()}` : err.stack)
    process.exitCode = err instanceof UsageError ? exitCodes.usage : exitCodes.failed
  })
}
