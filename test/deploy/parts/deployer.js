'use strict'

// A deploying process that can be killed: node deployer.js '{"config":…,"args":…,"stopAt":"health"}'. It
// says each stage on stdout, and stays at `stopAt`: the agent does not go on before it is told that the
// stage has been heard of.

const { openLocalSession } = require('../../../deploy/session')

const { config, args, stopAt, options } = JSON.parse(process.argv[2])

async function main () {
  const session = await openLocalSession({ name: 'one' }, config, { lock: true, action: 'start', who: 'test', ...options })
  console.log(JSON.stringify({ agent: session.facts.pid }))
  const value = await session.call('start', args, {
    onEvent ({ stage }) {
      if (stage === undefined) return
      console.log(JSON.stringify({ stage }))
      if (stage === stopAt) return new Promise(() => {})
    }
  })
  console.log(JSON.stringify({ done: value }))
  await session.close()
}

main().catch((err) => {
  console.log(JSON.stringify({ error: { code: err.code, message: err.message, stage: err.stage } }))
  process.exitCode = 1
})
