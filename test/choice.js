'use strict'
// What the runtimes between the oldest Node and Bun do of a suite.
//
// The machine's Node and Bun run every file through every door. A mistake of
// ours that only one of the Nodes between shows is rare, and one that shows there
// in one file through one door alone is rarer: so each of them runs a half, and
// never the same half. Of the contract that is every suite through one of the
// doors, and through the other on the other Node: any two of suite, door and
// runtime still meet.
//
// A file that crosses three things, each with each, takes a pairwise choice there
// and on Bun (UNDERCROFT_PAIRWISE).
//
// Some files start processes of every runtime by themselves, or others than ours for the most part: those are
// run once.
//
//   share(suite, runtime, files) -> { files, env, chosen? }

const CHOSEN = ['node24', 'node26']

// Suites whose files are doors: what is halved is within them (helper.js).
const DOORS = ['contract', 'contract-pg']

const ONCE = ['test/durability/log.test.js', 'test/pg/backup.test.js']

const CROSSED = ['test/life/exit.test.js']

const named = file => file.replace(/^.*\/|\.test\.js$/g, '')
const pairwise = file => `all but a third of ${named(file)}, so that any two of what it crosses meet`

function share (suite, runtime, all) {
  const turn = CHOSEN.indexOf(runtime)
  const files = all.filter(file => runtime === 'node' || !ONCE.includes(file))
  const once = all.filter(file => !files.includes(file)).map(named)
  if (turn < 0 || files.length < 2) {
    const crossed = runtime === 'node' ? [] : files.filter(file => CROSSED.includes(file))
    const chosen = [...once, ...crossed.map(pairwise)]
    return { files, env: crossed.length > 0 ? { UNDERCROFT_PAIRWISE: '1' } : {}, ...(chosen.length > 0 && { chosen }) }
  }
  if (DOORS.includes(suite)) {
    return {
      files,
      env: { UNDERCROFT_SHARE: String(turn) },
      chosen: ['half of the suites through each door; the other half on the other of ' + CHOSEN.join(' and ')]
    }
  }
  const mine = files.filter((_, i) => i % CHOSEN.length === turn)
  return {
    files: mine,
    env: { UNDERCROFT_PAIRWISE: '1' },
    chosen: [...all.filter(file => !mine.includes(file)).map(named), ...mine.filter(file => CROSSED.includes(file)).map(pairwise)]
  }
}

module.exports = { CHOSEN, share }
