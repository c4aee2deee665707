'use strict'

// What the routes of app/ answer, whichever door a request comes through: the format is that of
// vectors.js. They are asked in this order, of a database that begins with `schema`.
//
//   user, roles     who is logged in
//   like            in place of text: a RegExp that it matches
//   keeps           the name that its ETag is kept under; null: it must have none
//   with            (tag) -> If-None-Match, of the ETag that is kept under `of`

const JSON_TYPE = 'application/json'
const TEXT = 'text/plain; charset=utf-8'
const HTML = 'text/html; charset=utf-8'
const json = (text) => ({ status: 200, type: JSON_TYPE, text })
const plain = (status, text) => ({ status, type: TEXT, text })
const bad = (...lines) => plain(400, lines.join('\n'))
const page = (...lines) => ({ status: 200, type: HTML, text: lines.join('\n') })
const nothing = { status: 200, text: '' }
const get = (name, target, wanted, more) => ({ name, method: 'GET', target, ...wanted, ...more })
const post = (name, target, body, wanted, more) => ({ name, method: 'POST', target, body, ...wanted, ...more })

const schema = `
  create table person(id integer primary key, name text not null unique, age integer check(age >= 0));
  create table note(id integer primary key, person integer not null references person(id), text text);
  create table counter(n integer);
  insert into counter values (0);
  insert into person values (1, 'Ada', 36), (2, 'Bob', 41), (3, 'Zoë', 4);
`

const reading = [
  get('the notes\' URL, without a hit', '/dmail/user/q?name=2---&ps=10&id=354757&age=4', json([])),
  get('with one', '/dmail/user/q?name=Zo%C3%AB&age=4', json([{ id: 3, name: 'Zoë', age: 4 }])),
  get('parameters in another order', '/dmail/user/q?age=36&ps=1&name=Ada&id=0', json([{ id: 1, name: 'Ada', age: 36 }])),
  get('all that is wrong, in the order of the file', '/dmail/user/q?age=151&ps=0&x=1', bad('name: is missing', 'age: must be between 0 and 150', 'ps: must be between 1 and 100', 'x: is unknown')),
  get('given twice', '/dmail/user/q?name=Ada&age=3&age=4', bad('age: was given twice')),
  get('no integer', '/dmail/user/q?name=Ada&age=4.0', bad('age: must be an integer')),
  get('one', '/one?id=2', json({ id: 2, name: 'Bob', age: 41 })),
  get('one that is not there', '/one?id=99', plain(400, 'not found')),
  get('maybe one', '/maybe?id=1', json({ id: 1, name: 'Ada' })),
  get('and none', '/maybe?id=99', nothing),
  get('several statements', '/board', json({ users: { total: 3, last: 3 }, newest: [{ id: 3, name: 'Zoë' }, { id: 2, name: 'Bob' }], nobody: null })),
  get('a page', '/page', json({ rows: [{ id: 1, name: 'Ada' }, { id: 2, name: 'Bob' }], next: { id: 2 } })),
  get('the last page', '/page?id=2', json({ rows: [{ id: 3, name: 'Zoë' }], next: null })),
  get('a page with nothing', '/page?id=3', json({ rows: [], next: null })),
  get('a text', '/name?id=3', plain(200, 'Zoë')),
  get('no text', '/name?id=99', nothing),
  get('a header of the answer', '/total', { ...json([{ name: 'a' }]), answer: { 'x-total': '7' } }),
  get('a parameter from a header', '/tenant', plain(200, 'acme'), { headers: { 'X-Tenant': 'acme' } }),
  get('which is missing', '/tenant', bad('x-tenant: is missing')),
  get('one time', '/often', json([{ x: 3 }])),
  get('three times', '/often?n=3', json([{ x: 3 }, { x: 3 }, { x: 3 }])),
  get('no time', '/often?n=0', json([])),
  get('a bound that is taken instead', '/clamp?queries=501', plain(200, '500')),
  get('the preset instead', '/clamp?queries=foo', plain(200, '1')),
  get('nothing given', '/clamp', plain(200, '1')),
  get('no such path', '/nowhere', { status: 404, type: TEXT, like: /./ }),
  { name: 'another method', method: 'POST', target: '/one', body: {}, status: 405, type: TEXT, like: /./, answer: { allow: 'GET, HEAD' } },
  { name: 'HEAD', method: 'HEAD', target: '/one?id=2', status: 200, type: JSON_TYPE, text: '' },
  get('time that is up', '/slow', plain(500, 'timed out'))
]

// A filter is not widened, and nothing else is reached, by what other services read as operators.
const attacks = [
  get('a name of the service', '/one?id=2&_user=1', bad('_user: is unknown')),
  get('an operator in a name', '/one?id[gt]=0', bad('id: is missing', 'id[gt]: is unknown')),
  get('a filter of its own', '/one?id=2&filter[name][$startsWith]=A', bad('filter[name][$startsWith]: is unknown')),
  get('a column that is none of the parameters', '/maybe?id=1&password=x&fields=*&populate=*', bad('password: is unknown', 'fields: is unknown', 'populate: is unknown')),
  get('SQL behind a number', '/one?id=2%20or%201=1', bad('id: must be an integer')),
  get('SQL in a text', '/dmail/user/q?name=%27%20or%20%271%27=%271&age=36', json([])),
  get('a wildcard, which is a character', '/dmail/user/q?name=%25&age=36', json([])),
  get('the same name in another case', '/dmail/user/q?Name=x&name=Ada&age=36', bad('Name: is unknown')),
  get('a list for a value', '/one?id=1,2', bad('id: must be an integer')),
  get('a limit below none', '/dmail/user/q?name=Ada&age=36&ps=-1', bad('ps: must be between 1 and 100')),
  get('an integer that would wrap', '/one?id=18446744073709551617', bad('id: must be at most 9223372036854775807')),
  post('an operator in a body', '/dmail/user/set', { id: { gt: 0 }, age: 1 }, bad('id: must be an integer')),
  post('a list in a body', '/dmail/user/set', { id: [1, 2], age: 1 }, bad('id: must be an integer')),
  post('a column that nobody may set', '/dmail/user/set', { id: 1, age: 36, role: 'admin', _user: 1, __proto__x: 1 }, bad('role: is unknown', '_user: is unknown', '__proto__x: is unknown')),
  post('the prototype', '/dmail/user/set', '{"id":1,"__proto__":{"age":1}}', bad('__proto__: is unknown'), { headers: { 'Content-Type': 'application/json' } }),
  get('and nothing has changed', '/one?id=1', json({ id: 1, name: 'Ada', age: 36 }))
]

const list = (...items) => page('<!doctype html>', '<ul>', ...items.map((item) => `  ${item}`), '</ul>')
const board = (name, total, age, ...items) =>
  page(`<h1>${name}</h1>`, `<p>${total} ${age}</p>`, '<ol>', ...items.map((item) => `  <li>${item}</li>`), '</ol>')
const odd = '<b> & "it\'s" `a=b`'
const escaped = '&lt;b&gt; &amp; &quot;it&#39;s&quot; `a=b`'

// While nobody has been added.
const pages = [
  get('a page of rows', '/page/people', list('<li id="p1">Ada, 36</li>', '<li id="p2">Bob, 41</li>', '<li id="p3">Zoë, 4</li>')),
  get('a page without rows', '/page/people?from=99', list('<li>nobody</li>')),
  get('a page of a parameter that is wrong', '/page/people?from=x', bad('from: must be an integer')),
  get('a page of several statements', '/page/board?id=2', board('Bob', 3, 41, 'Zoë', 'Bob')),
  get('one of them without a row', '/page/board?id=99', board('no such person', 3, '', 'Zoë', 'Bob')),
  get('one that has to have a row', '/page/person?id=1', board('Ada', 0, 36)),
  get('and has none', '/page/person?id=99', plain(400, 'not found')),
  get('cells of each type, and a header', '/page/cells', {
    ...page(`${escaped}|${odd}|${odd}|9007199254740993|0.5|2||AAH/||0|Zoë 😀|null|empty|no`), answer: { 'x-total': '3' }
  }),
  get('a row of the statement\'s own, in order', '/page/more', list('<li id="p1">Ada, 36</li>', '<li id="p0">Additional &lt;one&gt;</li>', '<li id="p2">Bob, 41</li>')),
  get('a page with nothing on it', '/page/nothing', nothing),
  { name: 'HEAD of a page', method: 'HEAD', target: '/page/people', status: 200, type: HTML, text: '' },
  post('a page that a POST answers with', '/page/add', { name: '<i>' }, page('1000 &lt;i&gt;'))
]

const types = [
  get('none of them', '/types', json([{ t: null, i: null, r: null, b: null, at: null, u: null, w: null, l: null, z: '' }])),
  get('each of them', '/types?t=%C3%A4b&i=-5&r=0.5&b=true&at=2026-11-30T13:00:00%2B01:00&u=AAAAAAAA-1111-2222-3333-BBBBBBBBBBBB&w=paid&l=1,2,3&z=AAEC', json([{
    t: 'äb', i: -5, r: 0.5, b: 1, at: '2026-11-30T12:00:00.000Z', u: 'aaaaaaaa-1111-2222-3333-bbbbbbbbbbbb', w: 'paid', l: '[1,2,3]', z: '000102'
  }])),
  get('a text that is too long', '/types?t=abcd', bad('t: must have 1 to 3 characters')),
  get('characters, not bytes', '/types?t=%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80', { status: 200, type: JSON_TYPE, like: /😀😀😀/ }),
  get('a word that is none', '/types?w=old', bad('w: must be one of new, paid')),
  get('a bad escape', '/types?t=%zz', { status: 400, type: TEXT, like: /^t: / }),
  post('of a body', '/bodies', { t: 'x', i: 9007199254740991, r: 1.5, b: false, j: { a: [1, null] }, l: ['a', 'b'] }, json({ t: 'x', i: 9007199254740991, r: 1.5, b: 0, j: '{"a":[1,null]}', l: '["a","b"]' })),
  post('a text is no number', '/bodies', { t: 1, i: '1', r: 1, b: 1, j: 1, l: 'a' }, { status: 400, type: TEXT, like: /^t: .*\ni: .*\nb: .*\nl: .*$/ }),
  post('null', '/bodies', { t: null, i: 1, r: 1, b: true, j: 1, l: [] }, { status: 400, type: TEXT, like: /^t: / }),
  post('no JSON', '/bodies', '{"t":', { status: 400, type: TEXT, like: /^body: / }, { headers: { 'Content-Type': 'application/json' } }),
  post('a key twice', '/bodies', '{"t":"a","t":"b","i":1,"r":1,"b":true,"j":1,"l":[]}', { status: 400, type: TEXT, like: /./ }, { headers: { 'Content-Type': 'application/json' } }),
  post('another type', '/bodies', 't=1', { status: 400, type: TEXT, like: /^content-type: / }, { headers: { 'Content-Type': 'text/plain' } }),
  post('from a page of another site', '/bodies', {}, { status: 400, type: TEXT, like: /origin|site/ }, { headers: { 'Content-Type': 'application/json', 'Sec-Fetch-Site': 'cross-site' } })
]

const writing = [
  post('a row', '/dmail/user/add', { name: 'Cyd', age: 5 }, json({ id: 4 })),
  post('whose name is taken', '/dmail/user/add', { name: 'Cyd', age: 6 }, bad('that name is taken')),
  post('part of a row', '/dmail/user/set', { id: 4, age: 6 }, nothing),
  get('which has changed', '/one?id=4', json({ id: 4, name: 'Cyd', age: 6 })),
  post('null is null', '/dmail/user/set', { id: 4, age: null }, nothing),
  get('and is there', '/one?id=4', json({ id: 4, name: 'Cyd', age: null })),
  post('refused by a row', '/dmail/user/set', { id: 99, age: 1 }, bad('no such user')),
  post('what fails undoes all of it', '/twice', { id: 50 }, { status: 400, type: TEXT, like: /is taken/ }),
  get('nothing is left', '/maybe?id=50', nothing),
  post('a row that refers to nothing', '/child', { person: 99 }, { status: 400, type: TEXT, like: /refers to nothing/ }),
  post('a column that may not be null', '/empty-name', {}, bad('name: is missing')),
  post('counted', '/count', { by: 2 }, json({ n: 2 }), { headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'k-1' } }),
  post('once', '/count', { by: 2 }, json({ n: 2 }), { headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'k-1' } }),
  post('the key belongs to that', '/count', { by: 3 }, { status: 400, type: TEXT, like: /^idempotency-key: / }, { headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'k-1' } }),
  post('without a key', '/count', { by: 3 }, json({ n: 5 }))
]

// What is asked for again: `of` is an ETag that was kept, `with` what is made of it.
const again = (name, target, wanted, of, more) => get(name, target, wanted, { of, with: (tag) => tag, ...more })
const notModified = { status: 304, text: '' }

const tags = [
  get('what has a tag', '/one?id=2', json({ id: 2, name: 'Bob', age: 41 }), { keeps: 'one', answer: { 'cache-control': 'no-cache' } }),
  again('nothing has changed', '/one?id=2', notModified, 'one', { keeps: 'one, again', answer: { 'cache-control': 'no-cache' } }),
  again('whoever answered', '/one?id=2', notModified, 'one, again'),
  again('made weak on its way', '/one?id=2', notModified, 'one', { with: (tag) => `W/${tag}` }),
  again('one of a list', '/one?id=2', notModified, 'one', { with: (tag) => `"a", W/"b" ,${tag}, "c"` }),
  again('none of a list', '/one?id=2', json({ id: 2, name: 'Bob', age: 41 }), 'one', { with: (tag) => `"a${tag.slice(1)}, W/"b"` }),
  again('whatever there is', '/one?id=2', notModified, 'one', { with: () => '*' }),
  again('which is not there', '/one?id=99', plain(400, 'not found'), 'one', { with: () => '*' }),
  again('no list', '/one?id=2', json({ id: 2, name: 'Bob', age: 41 }), 'one', { with: (tag) => tag.slice(1, -1) }),
  again('of another target', '/one?id=1', json({ id: 1, name: 'Ada', age: 36 }), 'one'),
  again('by another name of the value', '/clamp?queries=1', plain(200, '1'), 'one', { keeps: 'clamp' }),
  again('it is the same', '/clamp?queries=foo', notModified, 'clamp'),
  again('a HEAD', '/one?id=2', notModified, 'one', { method: 'HEAD' }),
  again('what is wrong is wrong', '/one?id=2&x=1', bad('x: is unknown'), 'one', { keeps: null }),
  get('of several statements', '/board', { status: 200, type: JSON_TYPE, like: /total/ }, { keeps: 'board' }),
  get('of another table', '/total', json([{ name: 'a' }]), { keeps: 'total' }),
  get('kept', '/kept?most=1', json([{ name: 'Ada' }]), { keeps: 'kept', answer: { 'x-most': '1' } }),
  get('and taken from there', '/kept?most=1', json([{ name: 'Ada' }]), { answer: { 'x-most': '1' } }),
  get('by its parameters', '/kept?most=2', json([{ name: 'Ada' }, { name: 'Bob' }]), { answer: { 'x-most': '2' } }),
  again('with a tag as well', '/kept?most=1', notModified, 'kept'),
  get('not with the time', '/when', { status: 200, type: TEXT, like: /^\d+$/ }, { keeps: null }),
  get('not with random numbers', '/often', json([{ x: 3 }]), { keeps: null }),
  post('not after a POST', '/dmail/user/set', { id: 1, name: 'Eve' }, nothing, { keeps: null }),
  again('which changes it', '/board', { status: 200, type: JSON_TYPE, like: /total/ }, 'board'),
  again('also what is kept', '/kept?most=1', json([{ name: 'Eve' }]), 'kept'),
  get('for all', '/kept?most=1', json([{ name: 'Eve' }])),
  again('but no other table', '/total', notModified, 'total'),
  post('back', '/dmail/user/set', { id: 1, name: 'Ada' }, nothing),
  again('is another state', '/board', { status: 200, type: JSON_TYPE, like: /total/ }, 'board')
]

const persons = [
  get('of one user', '/mine', json({ user: 'ada', roles: '["staff"]' }), { user: 'ada', roles: ['staff'], keeps: 'mine', answer: { 'cache-control': 'private, no-cache' } }),
  again('who asks again', '/mine', notModified, 'mine', { user: 'ada', roles: ['staff'] }),
  again('in another role', '/mine', json({ user: 'ada', roles: '[]' }), 'mine', { user: 'ada' }),
  again('another user', '/mine', json({ user: 'bob', roles: '["staff"]' }), 'mine', { user: 'bob', roles: ['staff'] }),
  get('who is no part of the answer', '/staff', plain(200, 'staff only'), { user: 1, roles: ['staff'], keeps: 'staff' }),
  again('is part of the tag', '/staff', plain(200, 'staff only'), 'staff', { user: 2, roles: ['staff'] }),
  get('nobody is logged in', '/mine', plain(400, 'not logged in'), { user: null }),
  get('somebody is', '/mine', json({ user: 'ada', roles: '["staff"]' }), { user: 'ada', roles: ['staff'] }),
  get('a number', '/mine', json({ user: 7, roles: '[]' }), { user: 7 }),
  get('of another role', '/staff', plain(400, 'not allowed'), { user: 7, roles: ['guest'] }),
  get('of the right one', '/staff', plain(200, 'staff only'), { user: 7, roles: ['guest', 'admin'] })
]

const keyed = (key, more) => ({ headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key }, ...more })

// What is kept with a key says nothing of secrets.
const secrets = [
  post('with a key', '/secret', { by: 1, pin: '1' }, json({ n: 6 }), keyed('k-2', { user: 'ada' })),
  post('once more, whatever the secret is', '/secret', { by: 1, pin: '2' }, json({ n: 6 }), keyed('k-2', { user: 'ada' })),
  post('but another value', '/secret', { by: 2, pin: '1' }, bad('idempotency-key: belongs to another request'), keyed('k-2', { user: 'ada' })),
  post('and another user', '/secret', { by: 1, pin: '1' }, json({ n: 7 }), keyed('k-2', { user: 'bob' })),
  post('where everybody is the same', '/secret/public', { pin: '12' }, bad('idempotency-key: is not for a public route with secrets'), keyed('k-2')),
  post('which goes without', '/secret/public', { pin: '12' }, plain(200, '2'))
]

const tooMany = { status: 400, type: TEXT, like: /^too many requests, try again in \d+ s$/, answer: { 'retry-after': /^\d+$/ } }

const rates = [
  get('counted', '/seldom', plain(200, 'seldom')),
  get('as often as it may be', '/seldom', plain(200, 'seldom')),
  get('and no more', '/seldom', tooMany),
  { name: 'HEAD is GET', method: 'HEAD', target: '/seldom', status: 400, type: TEXT, text: '' },
  post('what is wrong is not counted', '/seldom', { n: 'x' }, bad('n: must be an integer')),
  post('a POST is counted by itself', '/seldom', { n: 1 }, plain(200, 'seldom 1')),
  post('whatever it sends', '/seldom', { n: 2 }, tooMany),
  get('a user', '/seldom/mine', plain(200, 'mine'), { user: 'ada' }),
  get('another one', '/seldom/mine', plain(200, 'mine'), { user: 7 }),
  get('whose name is that number', '/seldom/mine', plain(200, 'mine'), { user: '7' }),
  get('the first one again', '/seldom/mine', tooMany, { user: 'ada' }),
  get('and the second', '/seldom/mine', tooMany, { user: 7 })
]

module.exports = { schema, vectors: [...reading, ...attacks, ...pages, ...types, ...writing, ...tags, ...persons, ...secrets, ...rates] }
