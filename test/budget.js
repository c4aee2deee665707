'use strict'
// How long a soak, a fuzzer and a test of random things may go on: TEST_BUDGET,
// in seconds, for each of them. A run of everything gives them 10, a short run 1.
// By hand it may be an hour:
//
//   TEST_BUDGET=3600 node test/ipc/soak.test.js
//
//   budget.seconds      for what ends by a clock
//   budget.of(n)        how many rounds, where n are right for a run of everything

const FULL = 10
const SHORT = 1

const asked = Number(process.env.TEST_BUDGET)
const seconds = asked > 0 ? asked : process.env.CI === 'true' ? FULL : SHORT

const budget = {
  seconds,
  of: n => Math.max(1, Math.round(n * seconds / FULL))
}

module.exports = { budget }
