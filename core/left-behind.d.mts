export const MARK: 'PLIMSOLL_COMMAND';
export function marked(mark: string): number[];
export function killMarked(mark: string): void;
