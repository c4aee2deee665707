'use strict'

// Text crosses the door in pages: texts of one page stand together and are cut by UTF-16 length.
// Wherever the borders of pages fall, each string has to come back as it went in.

const { exact } = require('../../helper')

const kinds = {
  ascii: (n) => 'abcdefghij'.repeat(Math.ceil(n / 10)).slice(0, n),
  latin1: (n) => 'é'.repeat(n),
  cjk: (n) => '日本'.repeat(Math.ceil(n / 2)).slice(0, n),
  emoji: (n) => '😀'.repeat(Math.ceil(n / 2)),
  mixed: (n) => 'aé日😀'.repeat(Math.ceil(n / 5))
}

module.exports = (t, open) => {
  const { sql } = open

  const rowsOf = (kind, sizes) => sizes.map((size, i) => ({ id: i + 1, a: kinds[kind](size), b: `${i}` }))

  const fill = async (db, rows) => {
    await db.exec(`create table t(id ${sql.id}, a text, b text)`)
    await db.many('insert into t values (:id, :a, :b)', rows)
  }

  const check = async (t, db, rows, name) => {
    const same = (found) => found.length === rows.length &&
      found.every((row, i) => row.id === rows[i].id && row.a === rows[i].a && row.b === rows[i].b)
    t.ok(same(await db.all('select * from t order by id')), `${name}: all`)
    t.ok(same((await db.values('select id, a, b from t order by id')).map(([id, a, b]) => ({ id, a, b }))), `${name}: values`)
    t.ok(same(JSON.parse(await db.json('select * from t order by id'))), `${name}: json`)
    const seen = []
    for await (const row of db.iterate('select * from t order by id')) seen.push(row)
    t.ok(same(seen), `${name}: iterate`)
  }

  for (const kind of Object.keys(kinds)) {
    t.test(`${kind} text across the borders of pages`, async (t) => {
      const { db } = open(t)
      const sizes = []
      for (let n = 0; n < 40; n++) sizes.push(n, 1000 + n, 10)
      sizes.push(32760, 32767, 32768, 32769, 16383, 16384, 16385, 65535, 65536, 65537, 0, 1, 200000, 3)
      const rows = rowsOf(kind, sizes)
      await fill(db, rows)
      await check(t, db, rows, kind)
    })
  }

  t.test('pages that change from ASCII to everything else and back', async (t) => {
    const { db } = open(t)
    const names = Object.keys(kinds)
    const rows = []
    for (let i = 0; i < 1500; i++) rows.push({ id: i + 1, a: kinds[names[(i >> 6) % 5]]((i * 7) % 97), b: kinds[names[i % 5]](i % 5) })
    await fill(db, rows)
    await check(t, db, rows, 'changing')
  })

  t.test('small pages', async (t) => {
    const { db } = open(t, { pageBytes: 512 })
    const rows = []
    for (let i = 0; i < 2000; i++) rows.push({ id: i + 1, a: kinds.mixed(i % 60), b: kinds.ascii(i % 33) })
    await fill(db, rows)
    await check(t, db, rows, 'pageBytes 512')
  })

  t.test('one character beyond ASCII at each place of a page', async (t) => {
    const { db } = open(t)
    for (const odd of ['é', 'ÿ', 'Ā', '日', '😀', '\u007f', '\u0080', '\u07ff', '\u0800', '\uffff', '\u{10000}', '\u{10ffff}', '\ufeff']) {
      const values = Array.from({ length: 60 }, (_, i) => 'x'.repeat(i) + odd + 'y'.repeat(60 - i))
      const rows = await db.values(`select value from ${sql.elements('?')}`, [JSON.stringify(values)])
      t.ok(rows.every(([v], i) => v === values[i]) && rows.length === 60, `U+${odd.codePointAt(0).toString(16)}`)
    }
  })

  t.test('a byte order mark is a character like the others', async (t) => {
    const { db } = open(t)
    const row = await db.get(`select ${sql.as('?', 'text')} as a, ${sql.as('?', 'text')} as b, ${sql.as('?', 'text')} as c`, ['\ufeffstart', 'x', 'é\ufeff'])
    exact(t, row, { a: '\ufeffstart', b: 'x', c: 'é\ufeff' }, 'also as the first of a page')
  })

  t.test('rows larger than a page', async (t) => {
    const { db } = open(t)
    const value = kinds.mixed(300000)
    const wide = sql.as('?1', 'text')
    const rows = await db.all(`select ${wide} as a, ${wide} as b, 1 as n union all select 's', 'é', 2 union all select ${wide}, '', 3`, [value])
    t.ok(rows[0].a === value && rows[0].b === value && rows[2].a === value, 'large ones')
    exact(t, rows[1], { a: 's', b: 'é', n: 2 }, 'the small one between them')
  })

  t.test('text, blobs, floats and nulls interleaved over many pages', async (t) => {
    const { db } = open(t)
    await db.exec(`create table m(id ${sql.id}, a text, b ${sql.blob}, c double precision, d text)`)
    const rows = Array.from({ length: 3000 }, (_, i) => [
      i + 1,
      i % 3 === 0 ? null : kinds.mixed(i % 13),
      Buffer.alloc(i % 300, i),
      i / 7,
      i % 2 ? `é${i}` : null
    ])
    await db.many('insert into m values (?, ?, ?, ?, ?)', rows)
    const found = await db.values('select * from m order by id')
    const bad = found.findIndex((row, i) => !(row[0] === rows[i][0] && row[1] === rows[i][1] &&
      rows[i][2].equals(row[2]) && row[3] === rows[i][3] && row[4] === rows[i][4]))
    t.equal(bad, -1, 'every cell of 3000 rows')
    t.equal(found.length, 3000)
  })

  t.test('a long SQL text with characters of every kind', async (t) => {
    const { db } = open(t)
    for (const kind of Object.keys(kinds)) {
      const text = kinds[kind](30000)
      t.ok((await db.get(`select '${text}' as v`)).v === text, kind)
    }
  })
}
