import undercroft from './index.js'

export const { open, graceful, Store, UndercroftError } = undercroft
export default undercroft
