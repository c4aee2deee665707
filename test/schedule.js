'use strict'
// Which jobs of a test run may run at the same time.
//
//   await schedule(byUrgency(jobs), { cores, onEnd })
//
// A job is { name, run, cores?, uses?, after?, alone? }:
//   cores   how many of the machine's cores it keeps busy on average; what waits
//           for a disk, a socket or a clock has 0.25 or 0.5. Default: 1
//   uses    names of things of which there is one: a job has them to itself
//   after   jobs that have to end well before; if not, it is not run
//   alone   it measures: nothing runs beside it, and it comes after all others
//
// Of those that fit the one goes first that stands first. Each ends with
// onEnd(job, result); result is what run() gives, or { failed: 1, report } when
// it throws.

function schedule (jobs, { cores, onEnd }) {
  const waiting = [...jobs.filter(job => !job.alone), ...jobs.filter(job => job.alone)]
  const running = new Set()
  const ended = new Map()
  const chosen = new Set(jobs)

  return new Promise(resolve => {
    start()

    function start () {
      // What ends without having run lets others go on.
      let isOn = true
      while (isOn) {
        isOn = false
        for (const job of [...waiting]) {
          const broken = (job.after ?? []).find(other => ended.get(other)?.failed > 0)
          if (!broken && !fits(job)) continue
          waiting.splice(waiting.indexOf(job), 1)
          isOn = true
          if (broken) end(job, { passed: 0, failed: 1, report: `${job.name}: not run, as ${broken.name} has failed` })
          else run(job)
        }
      }
      if (running.size === 0 && waiting.length === 0) resolve()
    }

    function run (job) {
      running.add(job)
      attempt(job).then(result => {
        running.delete(job)
        end(job, result)
        start()
      })
    }

    function end (job, result) {
      ended.set(job, result)
      onEnd(job, result)
    }

    function fits (job) {
      if ((job.after ?? []).some(other => chosen.has(other) && !ended.has(other))) return false
      if (job.alone) return running.size === 0 && waiting.every(other => other.alone)
      let busy = Math.min(job.cores ?? 1, cores)
      for (const other of running) {
        if (other.alone || other.uses?.some(name => job.uses?.includes(name))) return false
        busy += Math.min(other.cores ?? 1, cores)
      }
      return busy <= cores + 1e-9 // tenths do not add up exactly
    }
  })
}

// What takes less is no reason to begin early.
const LONG_S = 30

// What takes turns begins first, then what takes longest, with all that waits for it:
// the end of a run is not to wait for one of them. All others keep their order, in
// which a mistake shows soonest. `expected` of a job are its seconds.
function byUrgency (jobs) {
  const whole = new Map()
  const wait = job => {
    if (!whole.has(job)) {
      const later = jobs.filter(other => other.after?.includes(job)).map(wait)
      whole.set(job, (job.expected ?? 0) + Math.max(0, ...later))
    }
    return whole.get(job)
  }
  const urgency = job => job.first ? Number.MAX_VALUE : wait(job) >= LONG_S ? wait(job) : 0
  return [...jobs].sort((a, b) => urgency(b) - urgency(a))
}

async function attempt (job) {
  try {
    return await job.run()
  } catch (err) {
    return { passed: 0, failed: 1, report: `${job.name}: ${err.stack}` }
  }
}

module.exports = { byUrgency, schedule }
