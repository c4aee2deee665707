'use strict'

// The lease that the first level lives under (Gray and Cheriton, "Leases", SOSP
// '89). One question stands with the core; its answer says what has changed of
// what we keep, and that we may trust the rest for so long after the question
// was sent. The next question, sent when all of that has been applied, confirms
// it: only then does whoever made the change go on. While nobody uses the first
// level nothing is asked, and it is not trusted either.
//
//   join() ──> question ──core: at once with news, else after 30 ms──> answer
//                 ^                                                      │
//                 └──────────── applied, and used within a second ───────┘

const { ops } = require('../wire/ops')
const { want } = require('../client/call')
const { NO_SHAPE } = require('../wire/shape')
const { now, span } = require('./clock')
const { badFrame } = require('../wire/cell')

// Unused for so long it is let go.
const IDLE = span(1000)
// No answer may claim more.
const MAX_LEASE_MS = 100

class Hold {
  #client
  #first
  // Where the core is in this process: (seq) -> its answer at once, or undefined.
  #askNow
  // A question stands, or its answer is being applied.
  #running = false
  #epoch
  // The last news that were applied.
  #applied = 0
  #sentAt = 0
  #usedAt = 0
  #uses = 0
  // Counts what makes an answer to an earlier question worthless.
  #doubts = 0
  #doubtsWhenSent = 0
  #ended = false

  constructor (client, first, askNow = null) {
    this.#client = client
    this.#first = first
    this.#askNow = askNow
  }

  /** Called before something is read for the first level: sees that the lease is asked for. */
  join () {
    if (this.#running && this.#epoch === this.#client.epoch) return
    this.#usedAt = now()
    if (this.#epoch !== this.#client.epoch) this.#forget()
    if (this.#askNow !== null) this.renew()
    this.#ask()
  }

  /**
   * Whether what the core gave on the connection `epoch`, when its last news
   * were `seq`, may be kept: no news that we have applied came after it.
   */
  admits (epoch, seq) {
    return this.#running && epoch === this.#epoch && epoch === this.#client.epoch && seq >= this.#applied
  }

  /**
   * Something was changed from here without waiting for the news of it, as
   * blocking calls do: nothing is trusted until a question asked from now on is
   * answered.
   */
  doubt () {
    this.#doubts++
    this.#first.trust = 0
  }

  /** Has the lease again at once, where the core is in this process. */
  renew () {
    // The first time may overtake an answer that is on its way, and is told to
    // forget everything then, without a lease.
    for (let tries = 0; tries < 2 && !this.#ended && this.#first.trust <= now(); tries++) {
      const askedAt = now()
      const doubts = this.#doubts
      const answer = this.#askNow(this.#applied)
      if (answer === undefined) return
      this.#apply(answer, askedAt, doubts)
    }
  }

  /** The handle is closed. */
  end () {
    this.#ended = true
    this.#forget()
  }

  #forget () {
    this.#first.trust = 0
    this.#first.clear()
    this.#applied = 0
    this.#running = false
  }

  #ask () {
    if (this.#ended) return
    const client = this.#client
    const seq = this.#applied
    this.#running = true
    this.#epoch = client.epoch
    this.#sentAt = now()
    this.#doubtsWhenSent = this.#doubts
    const question = {
      sql: undefined,
      shape: NO_SHAPE,
      arrived: (answer) => this.#arrived(answer)
    }
    client.send({
      op: ops.CACHE_HOLD,
      want: want.TAKEN,
      scope: null,
      quiet: true,
      fields: 1,
      write: (w) => w.number(seq),
      subject: () => question
    }).catch(() => this.#forget())
  }

  // Runs before any reply that came later is given to anybody.
  #arrived (answer) {
    if (this.#ended) return
    const hadNews = this.#apply(answer, this.#sentAt, this.#doubtsWhenSent)
    const first = this.#first
    const time = now()
    if (first.uses !== this.#uses) {
      this.#uses = first.uses
      this.#usedAt = time
    } else if (time - this.#usedAt > IDLE) {
      this.#running = false
      first.trust = 0
      return
    }
    this.#ask()
    // Somebody waits for it.
    if (hadNews) this.#client.flush()
  }

  #apply (answer, askedAt, doubts) {
    const first = this.#first
    const [seq, all, hashes, domains, leaseMs] = check(answer)
    if (all) {
      first.clear()
    } else {
      for (const hash of hashes) first.deleteHash(hash)
      for (const domain of domains) first.deleteDomain(domain)
    }
    if (seq > this.#applied) this.#applied = seq
    const until = askedAt + span(Math.min(leaseMs, MAX_LEASE_MS))
    if (doubts === this.#doubts && until > first.trust) first.trust = until
    return all || hashes.length > 0 || domains.length > 0
  }
}

function check (answer) {
  if (Array.isArray(answer) && answer.length >= 5 && Number.isSafeInteger(answer[0]) &&
    Array.isArray(answer[2]) && Array.isArray(answer[3]) && answer[4] >= 0) return answer
  throw badFrame('cache_hold')
}

module.exports = { Hold }
