import undercroft from './index.js'

export const { open, Store, UndercroftError } = undercroft
export default undercroft
