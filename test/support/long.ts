/** Whether to run what takes long and seldom finds anything, too: `npm run test:long`. */
export const isLong = process.env['PLIMSOLL_LONG'] === '1';
