'use strict'
// npx undercroft deploy <action>: reads the command line, says what comes of it. The work is in deploy/.

const fs = require('node:fs')
const os = require('node:os')
const { actions, init, load } = require('../../../deploy')
const { DeployError } = require('../../../deploy/errors')
const { Report } = require('../../../deploy/report')
const { who } = require('../../../deploy/who')
const { nearest } = require('../../base/did-you-mean')
const { readTarget } = require('../database')

const help = `
Puts a service on its hosts, over SSH, in two steps. Step one uploads a new release and
verifies it there; only when that has succeeded does step two start it, beside the old
one, which drains when the new one has proved its health.

  npx undercroft deploy init       write deploy.config.js and what goes with it
  npx undercroft deploy plan       what would happen, on which hosts; changes nothing
  npx undercroft deploy upload     step 1
  npx undercroft deploy start      step 2, of the newest release or the one that is named
  npx undercroft deploy            both
  npx undercroft deploy rollback   the previous release, or the one that is named
  npx undercroft deploy status     release, port, uptime, health, memory
  npx undercroft deploy logs       the archives of the last weeks, pulled to this machine

npx undercroft deploy <action> --help says more of each, and what it takes; deploy/README.md
in the package says all of it. When something fails, the old release goes on serving, and the
same command again finishes the job.
`

const common = {
  config: { type: 'string', short: 'c', help: 'the configuration: deploy.config.js, .cjs or .mjs here' },
  host: { type: 'string', multiple: true, help: 'only this host, by its name in the configuration; can be repeated' },
  json: { type: 'boolean', help: 'what happens as it happens, one JSON value a line; the last one is the answer or the error' }
}

const force = { type: 'boolean', help: 'a new release, and a new start, although nothing has changed' }
const verify = { type: 'boolean', help: 'read every file of the release again before it starts' }
const release = { type: 'string', help: 'the release; status lists those that are kept' }

// What each action takes besides; `word`: it takes a release without --release, too.
const about = {
  plan: {
    usage: 'deploy plan [--host NAME …]',
    help: `
Says for each host what a deployment would do: files to be sent, releases before and after,
commands, port, switch. Changes nothing there; here it only remembers the hashes of files,
in .undercroft/ beside the configuration.
`,
    options: { ...common, force: { ...force, help: 'as if upload had --force' } }
  },
  upload: {
    usage: 'deploy upload [--host NAME …] [--force]',
    help: `
Step 1. Builds, sends the files that the host does not have yet, installs the dependencies
there, verifies every file against the manifest, and only then marks the release complete.
An upload that was interrupted is taken up where it ended. Nothing is started.
`,
    options: { ...common, force }
  },
  start: {
    usage: 'deploy start [RELEASE] [--host NAME …] [--verify] [--force]',
    help: `
Step 2. Starts a complete release on the free port, waits for its health, gives it the
traffic, watches it, then drains and stops the old one. Whatever fails, the old release
goes on serving.
`,
    options: { ...common, release, verify, force: { ...force, help: 'start it anew although it serves already' } },
    word: true
  },
  deploy: {
    usage: 'deploy [plan|upload|start|rollback|status|logs|init] [options]',
    help,
    options: { ...common, force, verify }
  },
  rollback: {
    usage: 'deploy rollback [RELEASE] [--host NAME …]',
    help: `
Starts the previous release again, or the one that is named, without an upload, after every
file of it has been verified. It takes over as in step 2.
`,
    options: { ...common, release },
    word: true
  },
  status: {
    usage: 'deploy status [--host NAME …]',
    help: `
Shows release, port, uptime, health and memory of each host. A host that cannot be reached
is a line in the table; the exit code is 1 then.
`,
    options: common
  },
  logs: {
    usage: 'deploy logs [--host NAME …] [--since DAYS] [--until DAYS] [--prune] [--keep-days DAYS]',
    help: `
Pulls the archives between 21 and 14 days old, of the application and of the gateway, and
verifies each by its checksum. What is here already does not travel again. Says what came
and what is missing. Made for a weekly timer; deploy/README.md has examples.
`,
    options: {
      ...common,
      since: { type: 'string', help: 'from so many days ago: 21' },
      until: { type: 'string', help: 'to so many days ago: 14' },
      prune: { type: 'boolean', help: 'delete on the hosts what is verified here and older than 14 days' },
      'keep-days': { type: 'string', help: 'with --prune, delete here what is older: 60' }
    }
  },
  init: {
    usage: 'deploy init [--app NAME] [--host USER@HOST …] [--folder PATH] [--origin URL] [--runtime node|bun] [--mounted] [--force]',
    help: `
Writes a commented deploy.config.js, deploy/nginx.conf, deploy/logrotate.conf and a unit for
systemd, and adds npm scripts to package.json. Asks nothing and overwrites nothing, but for
deploy/nginx.conf, where it keeps what is your own. With a folder routes/ nginx leads their
paths to the daemon's HTTP: say it again when routes have changed.
`,
    options: {
      app: { type: 'string', help: 'the name of the service: that of the package' },
      host: { type: 'string', multiple: true, help: 'user@host; can be repeated' },
      folder: { type: 'string', help: 'where it goes on the hosts: /srv/<app>' },
      origin: { type: 'string', multiple: true, help: 'of the front-end, for CORS: https://www.example.com; can be repeated' },
      runtime: { type: 'string', help: 'node or bun' },
      mounted: { type: 'boolean', help: 'the service answers its routes by itself, not the daemon' },
      force: { type: 'boolean', help: 'overwrite files that are there' },
      json: { type: 'boolean', help: 'the answer as one JSON value' }
    }
  }
}

// For the parser, which reads them before it knows the action: read() refuses what the action does not take.
const allOptions = Object.assign({}, ...Object.values(about).map(({ options }) => options))

// So long what a hook has left open keeps the process, when everything is done.
const LINGER_MS = 3000

// Mistakes of who asks, and what the machine lacks; the rest is a failure.
const codesOf = { UC_DEPLOY_CONFIG: 'usage', UC_DEPLOY_HOST: 'usage', UC_DEPLOY_USAGE: 'usage', UC_DEPLOY_SSH2: 'lacking' }

async function run ({ values, positionals, exitCodes }) {
  const report = new Report({ json: values.json })
  const stop = interruptible(report)
  try {
    const { action, options } = read(values, positionals)
    const io = { report, action, signal: stop.signal, who: who() }
    if (action === 'init') {
      const { mounted = false, ...given } = options
      await init({ ...given, ...mounted ? {} : routesHere() }, io)
      return exitCodes.ok
    }
    const config = await load({ file: values.config, action })
    // Before anything is built or run.
    require('../../../deploy/ssh/connect').load()
    const result = await actions[action](config, options, io)
    return result?.failed ? exitCodes.failed : exitCodes.ok
  } catch (err) {
    if (!(err instanceof DeployError)) throw err
    report.error(err)
    return exitCodes[codesOf[err.code] ?? 'failed']
  } finally {
    stop.end()
    report.end()
    // A function of the configuration that hangs was given up, but cannot be ended.
    setTimeout(() => process.exit(), LINGER_MS).unref()
  }
}

// The routes of this folder are the daemon's; the gateway has to know their paths.
function routesHere (dir = 'routes') {
  if (!fs.existsSync(dir) || !fs.readdirSync(dir, { recursive: true }).some((name) => name.endsWith('.sql'))) return {}
  return {
    async routes (site) {
      const { describe } = require('../routes/describe')
      const { nginx } = require('../routes/nginx')
      try {
        return nginx(await describe(dir, readTarget({}, dir)), site)
      } catch (err) {
        throw wrong(`the routes cannot be read: ${err.message}`, 'npx undercroft routes check says more; --mounted leaves them to the service')
      }
    }
  }
}

function read (values, [word, ...words]) {
  const action = word ?? 'deploy'
  if (!Object.hasOwn(about, action)) {
    const near = nearest(action, Object.keys(about))
    throw wrong(`there is no action '${action}' of deploy${near !== null ? `: did you mean '${near}'?` : `; there are ${Object.keys(about).join(', ')}`}`)
  }
  const mine = about[action]
  for (const name of Object.keys(values)) {
    if (!Object.hasOwn(mine.options, name)) throw wrong(`deploy ${action} takes no --${name}`)
  }
  const [named, ...others] = words
  if (others.length > 0 || (named !== undefined && !mine.word)) throw wrong(`deploy ${action}: there is a word too many: '${others[0] ?? named}'`)
  if (named !== undefined && values.release !== undefined && named !== values.release) throw wrong(`deploy ${action}: two releases are named, ${named} and ${values.release}`)
  return { action, options: named === undefined ? values : { ...values, release: named } }
}

function wrong (text, hint = 'npx undercroft deploy --help') {
  return new DeployError('UC_DEPLOY_USAGE', text, { hint })
}

// The first Ctrl-C asks for an orderly end: the hosts undo what has not been switched. The second does not wait.
function interruptible (report) {
  const controller = new AbortController()
  const onSignal = (signal) => {
    if (controller.signal.aborted) process.exit(128 + os.constants.signals[signal])
    report.warn(null, 'stopping; once more to stop at once')
    controller.abort(new DeployError('UC_DEPLOY_STOPPED', `stopped by ${signal}`, { hint: 'run the same command again: it finishes what was begun' }))
  }
  for (const name of ['SIGINT', 'SIGTERM']) process.on(name, onSignal)
  return {
    signal: controller.signal,
    end () {
      for (const name of ['SIGINT', 'SIGTERM']) process.off(name, onSignal)
    }
  }
}

module.exports = {
  name: 'deploy',
  summary: 'put a service on its hosts over SSH, in two steps: upload, start',
  usage: about.deploy.usage,
  help,
  options: allOptions,
  positionals: true,
  // Without an action, or with one that there is not: what `deploy` itself takes.
  about: (action) => Object.hasOwn(about, action) ? about[action] : about.deploy,
  run
}
