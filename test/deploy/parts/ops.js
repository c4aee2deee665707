'use strict'
// Ops for tests of the session itself: sent to the agent beside its own files.

const source = `'use strict'
const fs = require('node:fs')

const until = fn => new Promise(resolve => fn(resolve))

module.exports = {
  ops: {
    async echo (args) { return args },
    async sink (args, ctx) {
      let bytes = 0
      for await (const buffer of ctx.payload) bytes += buffer.length
      return bytes
    },
    // Announces stages while payload comes that it does not read yet.
    async staged ({ after }, ctx) {
      let bytes = 0
      if (after === 0) await ctx.stage('first')
      for await (const buffer of ctx.payload) {
        bytes += buffer.length
        if (after > 0 && bytes >= after) {
          after = Infinity
          await ctx.stage('middle')
          await ctx.stage('again')
        }
      }
      return bytes
    },
    async source ({ bytes, size }, ctx) {
      for (let left = bytes; left > 0; left -= size) await ctx.chunk(Buffer.alloc(Math.min(left, size), 7))
      return bytes
    },
    async stages ({ names, file }, ctx) {
      for (const name of names) {
        await ctx.stage(name)
        if (file) fs.appendFileSync(file, name + ' ' + ctx.isLost() + '\\n')
      }
      return names.length
    },
    // Runs until it is lost; then writes what it knows, as an undo would.
    async hold ({ file, stage }, ctx) {
      if (stage) await ctx.stage(stage)
      await ctx.event({ held: process.pid })
      const reason = await until(resolve => ctx.onLost(resolve))
      fs.writeFileSync(file + '.tmp', JSON.stringify({ reason, lost: ctx.isLost() }))
      fs.renameSync(file + '.tmp', file)
      return 'undone'
    },
    async fail ({ how }, ctx) {
      await ctx.stage('failing')
      if (how === 'full') throw Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC', syscall: 'write' })
      if (how === 'coded') throw Object.assign(new Error('the port is taken'), { code: 'UC_DEPLOY_PORT', hint: 'stop it', lines: ['a', 'b'], details: { pid: 1 } })
      if (how === 'die') process.kill(process.pid, 'SIGKILL')
      if (how === 'crash') { process.stderr.write('last words\\n'); setImmediate(() => { throw new Error('crashed') }); await new Promise(() => {}) }
      throw new Error('unforeseen')
    },
    async audited (args, ctx) { await ctx.audit('test', 'ok', { n: args.n }) },
    async facts (args, ctx) { return { who: ctx.who, config: ctx.config, own: ctx.source('agent/host/paths.js').length > 0 } }
  }
}
`

module.exports = { files: { 'agent/test-ops.js': source } }
