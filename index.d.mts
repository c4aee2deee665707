// The types of `import`, which also has a default; index.d.ts is what `require` gives.

import { Store, UndercroftError, graceful, open, uuidv7 } from './index.js'

export * from './index.js'

declare const undercroft: {
  open: typeof open
  graceful: typeof graceful
  Store: typeof Store
  UndercroftError: typeof UndercroftError
  uuidv7: typeof uuidv7
}
export default undercroft
