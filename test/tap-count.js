'use strict'
// Reads a TAP stream as it comes and counts what was asserted.
//
//   const tap = tapCounter()
//   tap.write(chunk); ...; const result = tap.end()
//   result: { passed, failed, skipped, failures: [text], bailed }
//
// Counted are assertions, not the lines that sum up a subtest: such a line
// stands after deeper ones. A failing one counts only when nothing under it did.

const POINT = /^( *)(not )?ok\b *(\d+)? *-? *(.*)$/
const DIRECTIVE = /(?<!\\)#\s*(skip|todo)\b/i

function tapCounter () {
  const result = { passed: 0, failed: 0, skipped: 0, failures: [], bailed: false }
  const names = []
  // deeper[d]: since the last point at depth d there was something under it;
  // failedBefore[d]: how many failures there were at that point.
  const deeper = []
  const failedBefore = []
  let rest = ''
  let inYaml = false
  let failure = null
  // What a test said since its last point: often the reason for the next.
  let comments = []
  let sawPlan = false

  function line (text) {
    if (inYaml) {
      if (failure) failure.push(text)
      inYaml = text.trim() !== '...'
      return
    }
    if (text.trim() === '---') {
      inYaml = true
      return
    }
    const subtest = /^( *)# Subtest: (.*)$/.exec(text)
    if (subtest) {
      names.length = subtest[1].length / 4
      names.push(subtest[2])
      return
    }
    const plan = /^( *)1\.\.(\d+)/.exec(text)
    if (plan) {
      if (plan[1] === '') sawPlan = true
      mark(plan[1].length / 4)
      return
    }
    if (/^Bail out!/.test(text)) {
      result.bailed = true
      fail(text, [])
      return
    }
    if (/^ *# (?!time=|\{ total)/.test(text)) comments.push(text)
    const point = POINT.exec(text)
    if (point && point[1].length % 4 === 0) onPoint(point)
  }

  function onPoint ([, indent, not, , name]) {
    const depth = indent.length / 4
    const isSummary = deeper[depth]
    const before = failedBefore[depth] || 0
    deeper[depth] = false
    mark(depth)
    failure = null
    const directive = DIRECTIVE.exec(name)
    if (directive) {
      result.skipped++
    } else if (not && (!isSummary || result.failed === before)) {
      fail(name, names.slice(0, depth))
    } else if (!not && !isSummary) {
      result.passed++
    }
    failedBefore[depth] = result.failed
    comments = []
    names.length = Math.min(names.length, depth)
  }

  function fail (name, path) {
    result.failed++
    failure = [[...path, name].join(' > '), ...comments.slice(-20)]
    result.failures.push(failure)
  }

  // Something at this depth: every level above it has something under it.
  function mark (depth) {
    for (let above = 0; above < depth; above++) deeper[above] = true
  }

  return {
    write (chunk) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()
      for (const text of lines) line(text)
    },
    end () {
      if (rest) line(rest)
      if (!sawPlan && !result.bailed) fail('the output has no plan: it ended early', [])
      return { ...result, failures: result.failures.map(lines => lines.join('\n')) }
    }
  }
}

module.exports = { tapCounter }
