'use strict'
// Routes as the core describes them: one of each kind, and how to write one down.

const param = (name, type, rest = {}) => ({
  name, type, list: false, optional: false, secret: false, least: null, most: null, words: [], preset: null, about: '', in: 'query', header: null, ...rest
})

const body = (name, type, rest) => param(name, type, { in: 'body', ...rest })

const route = (method, path, rest = {}) => ({
  method, path, form: method === 'GET' ? 'many' : 'none', about: '', file: 'user.sql', line: 1, public: false, roles: [], params: [], parts: [], cacheMs: 0, timeoutMs: 0, rate: null, replies: [], ...rest
})

const part = (form, columns, name = '') => ({ name, form, columns: Object.entries(columns).map(([name, type]) => ({ name, type })) })

const described = [
  route('GET', '/dmail/user/q', {
    about: 'The people of one name and age, a keyset page.',
    line: 2,
    public: true,
    params: [
      param('name', 'text', { least: 1, most: 64 }),
      param('age', 'integer', { least: 0, most: 150 }),
      param('id', 'integer', { least: 0, preset: 0, about: 'the last id seen' }),
      param('ps', 'integer', { least: 1, most: 100, preset: 10, about: 'page size' })
    ],
    parts: [part('many', { id: 'INTEGER', name: 'TEXT', age: 'INT', score: 'REAL', 'x y': '' })],
    cacheMs: 1000,
    timeoutMs: 500
  }),
  route('POST', '/dmail/user/add', {
    form: 'one',
    line: 14,
    roles: ['editor'],
    params: [
      body('name', 'text', { least: 1, most: 64 }),
      body('password', 'text', { secret: true }),
      body('state', 'words', { words: ['new', "it's"], preset: 'new' }),
      body('tags', 'text', { list: true, least: 0, most: 5, optional: true }),
      body('kinds', 'words', { words: ['a', 'b'], list: true, optional: true }),
      body('born', 'time', { optional: true }),
      body('photo', 'blob', { least: 1, most: 100, optional: true }),
      body('more', 'json', { optional: true }),
      body('ok', 'boolean', { preset: false }),
      body('state2', 'words', { words: ['x'], optional: true }),
      param('x_tenant', 'uuid', { in: 'header', header: 'x-tenant' })
    ],
    parts: [part('one', { id: 'INTEGER', etag_of: 'TEXT' })],
    rate: { n: 10, everyMs: 60_000, by: 'ip' },
    replies: ['etag_of']
  }),
  route('POST', '/dmail/user/set', { about: 'What is absent stays as it is.\nNull is null.', line: 30, params: [body('id', 'integer', { least: 1 }), body('score', 'real', { least: 0.5, optional: true })] }),
  route('GET', '/dmail/user/one', { form: 'one!', line: 40, roles: ['admin', 'editor'], params: [param('id', 'integer')], parts: [part('one!', { id: 'INTEGER' })] }),
  route('GET', '/dmail/board', {
    file: 'board.sql',
    public: true,
    params: [param('ids', 'integer', { list: true, most: 50, optional: true }), param('filter', 'json', { optional: true })],
    parts: [part('one', { total: '', last: 'INTEGER' }, 'users'), part('many', { id: 'INTEGER', name: 'TEXT' }, 'newest'), part('one!', { n: 'INTEGER' }, 'counted'), part('text', { v: 'TEXT' }, 'version')]
  }),
  route('GET', '/dmail/pages', { form: 'page', file: 'board.sql', line: 20, params: [param('n', 'integer', { most: 10, preset: 5 })], parts: [part('page', { id: 'INTEGER', at: 'DATETIME' })] }),
  route('GET', '/', { form: 'html', file: 'board.sql', line: 30, public: true, parts: [part('many', { id: 'INTEGER' })] }),
  route('GET', '/version', { form: 'text', file: 'board.sql', line: 40, public: true, parts: [part('text', { v: 'TEXT' })], rate: { n: 5, everyMs: 3_600_000, by: 'ip' } }),
  route('POST', '/version', { file: 'board.sql', line: 50, roles: ['admin'], rate: { n: 3, everyMs: 1000, by: 'user' } }),
  route('POST', '/login', { file: 'board.sql', line: 60, public: true, params: [body('name', 'text')], rate: { n: 10, everyMs: 60_000, by: 'ip' } }),
  route('GET', '/delete', { file: 'board.sql', line: 70, public: true, parts: [part('many', { id: 'INTEGER' })] })
]

module.exports = { body, described, param, part, route }
