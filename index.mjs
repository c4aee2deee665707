import undercroft from './index.js'

export const { open, graceful, Store, UndercroftError, uuidv7 } = undercroft
export default undercroft
