'use strict'

// A tree of 5,000 files and 100 MB to a host, for the first time and again after
// ten of them have changed: the whole command, from its start to its end.

const fs = require('node:fs')
const path = require('node:path')
const { execFileSync, spawn } = require('node:child_process')
const { startHosts } = require('../../lib/hosts')
const { makeTree, change, digestOf } = require('../../lib/tree')

const FILES = 5000
const BYTES = 100e6
const CHANGED = 10
const MAIN = path.join(__dirname, '../../../lib/cli/main.js')

/**
 * @param {function} way ({ host, source, base, job }) -> { command (folder):
 *   [program, …arguments], there (folder): where the tree is then,
 *   before (): what is done before a first upload }
 */
function uploads (way) {
  return async ({ lib, job, scale }) => {
    const base = `${job.file}.upload`
    const source = path.join(base, 'source')
    const files = makeTree(source, scale(FILES), scale(BYTES))
    const hosts = await startHosts(1)
    const { command, there, before } = way({ host: hosts[0], source, base, lib })
    let count = 0
    const both = async () => {
      const place = path.join(base, `host-${++count}`)
      fs.mkdirSync(place)
      // A service's folder has a short path: sockets are made in it.
      const folder = path.join(hosts.dir, `to-${count}`)
      fs.symlinkSync(place, folder)
      before?.(folder)
      const first = await timed(command(folder))
      change(source, files, CHANGED, count)
      const again = await timed(command(folder))
      return { folder, first, again }
    }
    const remove = folder => {
      fs.rmSync(fs.realpathSync(folder), { recursive: true })
      // What was written is not to disturb whoever comes next.
      execFileSync('sync')
    }
    return {
      async check () {
        const { folder } = await both()
        const answer = digestOf(there(folder))
        remove(folder)
        if (answer !== digestOf(source)) throw new Error('the host has not what was uploaded')
        return answer
      },
      async round () {
        const { folder, first, again } = await both()
        remove(folder)
        return { first, again }
      },
      async close () {
        await hosts.stop()
        fs.rmSync(base, { recursive: true })
      }
    }
  }
}

/** The seconds that a command takes. */
async function timed ([file, ...args]) {
  const started = performance.now()
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => { said = (said + text).slice(-4000) })
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  const seconds = (performance.now() - started) / 1000
  if (code !== 0) throw new Error(`${file} ended with ${code}: ${said}`)
  return seconds
}

function deploy ({ host, source, base }) {
  const config = path.join(base, 'deploy.config.cjs')
  const { name, port, user, key, knownHosts } = host
  return {
    before (folder) {
      // Nobody has read the files before.
      fs.rmSync(path.join(base, '.undercroft'), { recursive: true, force: true })
      fs.writeFileSync(config, `module.exports = ${JSON.stringify({
        app: 'bench',
        hosts: [{ name, host: host.host, port, user, key, knownHosts, agent: false }],
        folder,
        source,
        install: null,
        start: ['file-0.js'],
        runtime: { name: process.versions.bun ? 'bun' : 'node', path: process.execPath }
      })}\n`)
    },
    command: () => [process.execPath, MAIN, 'deploy', 'upload', '--config', config],
    there: folder => path.join(folder, 'releases', fs.readdirSync(path.join(folder, 'releases')).filter(id => /^\d/.test(id)).sort().at(-1))
  }
}

const copy = ({ host, source, lib }) => ({
  command: folder => lib.commandOf(host, source, folder),
  there: folder => folder
})

module.exports = {
  title: '5,000 files, 100 MB, over SSH on one machine',
  unit: 's',
  better: 'lower',
  rows: [
    {
      name: 'upload-first',
      title: 'first time, 5,000 files, 100 MB',
      measure: 'first',
      ours: 'deploy',
      rivals: { copy: 'copy' },
      // At most one and a half times the time of rsync.
      targets: { rsync: 1 / 1.5 }
    },
    {
      name: 'upload-again',
      title: 'again, 10 of them changed',
      measure: 'again',
      ours: 'deploy',
      rivals: { copy: 'copy' },
      targets: { rsync: 1 / 2 }
    }
  ],
  programs: {
    ours: { deploy: uploads(deploy) },
    copy: { copy: uploads(copy) }
  }
}
