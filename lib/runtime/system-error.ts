import { constants } from 'node:os';

/**
 * Name of a system error, 'ENOSPC' for one; a native code or '' for other errors. libuv has no name for some, EDQUOT among them, and Node
 * then gives 'Unknown system error -122' as the code.
 */
export function systemCode(cause: unknown): string {
	// What Node throws where closing fails after writing did: the first one says why.
	if (cause instanceof AggregateError) return systemCode(cause.errors[0]);
	const { code, errno } = cause as NodeJS.ErrnoException;
	if (errno === undefined || /^E[A-Z0-9]+$/.test(code ?? '')) return code ?? '';
	return Object.entries(constants.errno).find(([, number]) => number === Math.abs(errno))?.[0] ?? code ?? '';
}

/** Whether the disk, or what one user may have of it, is full. */
export const isDiskFull = (cause: unknown): boolean => ['ENOSPC', 'EDQUOT', 'DISK_FULL'].includes(systemCode(cause));
