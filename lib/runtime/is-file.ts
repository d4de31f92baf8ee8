import { stat } from 'node:fs/promises';

/** Whether a folder, or a link to one, is there. */
export const isFolder = (path: string): Promise<boolean> =>
	stat(path).then(
		(info) => info.isDirectory(),
		() => false,
	);

/** Whether a regular file, or a link to one, is there. */
export const isFile = (path: string): Promise<boolean> =>
	stat(path).then(
		(info) => info.isFile(),
		() => false,
	);
