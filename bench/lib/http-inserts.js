'use strict'

// Inserts over HTTP: three cases that differ in what is sent and answered.

const { question, rowsOf, byHand } = require('./http-case')

const MEDIUM = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/
const rivals = byHand(['axum', 'bun', 'node', 'fastify'])

// Each has its own clock, and some count milliseconds.
const timeless = ({ created_at: at, ...row }) => [MEDIUM.test(at), row]

/** The people of that name, as they come back. */
async function peopleOf (ask, name) {
  const { body } = await ask(`/dmail/user/q?name=${name}&age=7`)
  return JSON.parse(body).map(timeless)
}

/**
 * @param {object} about
 * @param {Function} about.bodyOf name -> what is sent
 * @param {boolean} [about.isAnswered] with the row that was made
 * @param {object} about.targets of NORMAL, see rowsOf
 * @param {object} [about.fullTargets] of our FULL against their NORMAL
 */
function inserts ({ name, title, what, target, bodyOf, isAnswered = false, targets, fullTargets = {}, atLeast }) {
  return question({
    title,
    target,
    body: JSON.stringify(bodyOf('2---')),
    routes: 'people',
    async check (ask) {
      const { status, body } = await ask(target, { method: 'POST', body: JSON.stringify(bodyOf('check')) })
      return [status, isAnswered ? timeless(JSON.parse(body)) : body, await peopleOf(ask, 'check')]
    },
    rows: [
      ...rowsOf({
        name: `${name}-door`,
        label: [what, 'C door'],
        title: `${what}, C door, \`synchronous = normal\``,
        ours: 'door',
        rivals,
        targets,
        atLeast
      }),
      ...rowsOf({
        name: `${name}-door-full`,
        title: `${what}, C door, ours \`synchronous = full\`, theirs normal`,
        ours: 'door-full',
        rivals,
        targets: fullTargets
      }),
      ...rowsOf({ name: `${name}-node`, title: `${what}, routes in node:http`, ours: 'node', rivals: byHand(['node', 'fastify']) }),
      ...rowsOf({ name: `${name}-bun`, title: `${what}, routes in Bun.serve`, ours: 'bun', rivals: byHand(['bun']) })
    ]
  })
}

module.exports = { inserts }
