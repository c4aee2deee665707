'use strict'

const neostandard = require('neostandard')

module.exports = [
  ...neostandard({
    ignores: ['build/', 'bench/build/', 'prebuilds/', '.pack/', 'csrc/vendor/', '**/node_modules/', '.tap/', '**/*.d.ts', 'test/types/'],
    noJsx: true
  }),
  {
    files: ['**/*.js'],
    languageOptions: { sourceType: 'commonjs' },
    rules: {
      strict: ['error', 'global']
    }
  },
  {
    // Leaving a cursor after its first row is what such a test is about, and so
    // are numbers that cannot be kept and things that should not be thrown.
    files: ['test/**/*.js'],
    rules: {
      'no-loss-of-precision': 'off',
      'no-throw-literal': 'off',
      'no-unmodified-loop-condition': 'off',
      'no-unreachable-loop': 'off'
    }
  }
]
