'use strict'

// The charts of the benchmark, drawn from the stored figures: what can be held without looking at them.

const fs = require('node:fs')
const path = require('node:path')
const t = require('tap')
const { ticksFor, TICK_ROOM, WIDTH } = require('../../bench/lib/chart')
const { root } = require('../helper')

// What a character takes at most, by the size of its font.
const sizes = { title: 11, small: 6.8, figure: 6.8, plain: 7.5 }

function read (name) {
  const svg = fs.readFileSync(path.join(root, 'bench', name), 'utf8')
  const texts = Array.from(svg.matchAll(/<text x="([\d.-]+)" y="([\d.-]+)" text-anchor="(\w+)"(?: class="(\w+)")?>([^<]*)</g), ([, x, y, anchor, kind = 'plain', content]) => {
    const width = content.length * sizes[kind]
    const left = anchor === 'start' ? Number(x) : anchor === 'end' ? x - width : x - width / 2
    return { x: Number(x), y: Number(y), anchor, kind, content, left, right: left + width }
  })
  return { svg, texts }
}

const names = ['results', 'ipc', 'cache', 'log', 'deploy', 'http'].map((name) => `${name}.svg`)

for (const name of names) {
  t.test(name, async (t) => {
    const { svg, texts } = read(name)
    for (const { content, left, right } of texts) {
      t.ok(left >= 0 && right <= WIDTH, `within the picture: ${content}`)
    }
    const ticks = texts.filter(({ anchor }) => anchor === 'middle')
    t.ok(ticks.length >= 6)
    for (const { content } of ticks) t.match(content, /^(?:[125]0*|0\.0*[125])×$/, 'a round number')
    for (const a of texts) {
      for (const b of texts) {
        if (a === b || a.y !== b.y || a.x > b.x) continue
        t.ok(a.right <= b.left, `apart: ${a.content} and ${b.content}`)
      }
    }
    const legend = Array.from(svg.matchAll(/<rect class="(\w)" [^>]*width="12" height="12"/g), ([, kind]) => kind)
    t.ok(legend.length > 0)
    t.equal(new Set(legend).size, legend.length, 'a colour for each rival')
    for (const kind of legend) t.match(svg, new RegExp(`\\.${kind} \\{ fill: #`))
    t.notMatch(svg, 'below target')
  })
}

t.test('each has a title of its own', async (t) => {
  const titles = names.map((name) => read(name).texts.find(({ kind }) => kind === 'title').content)
  t.equal(new Set(titles).size, titles.length)
})

t.test('ticks have room, whatever the figures are', async (t) => {
  for (const values of [[1], [0.36845084142639495, 3], [0.001, 20000], [0.9, 1.1], [5, 123456], [1e-6, 1e6]]) {
    const ticks = ticksFor(values)
    t.ok(ticks[0] <= Math.min(...values) && ticks.at(-1) >= Math.max(...values), values.join())
    const room = (WIDTH - 360) / Math.log(ticks.at(-1) / ticks[0])
    for (let i = 1; i < ticks.length; i++) t.ok(Math.log(ticks[i] / ticks[i - 1]) * room >= TICK_ROOM - 4, `${ticks[i - 1]} and ${ticks[i]}`)
  }
})
