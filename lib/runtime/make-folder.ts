import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes an absolute `folder` and the folders above it, one by one: mkdirSync with `recursive` never returns where the system says
 * "no such file" for a name that cannot be made (nodejs/node, seen in 20.20 under /proc). Throws the system's errors.
 */
export function makeFolder(folder: string): void {
	if (existsSync(folder)) return;
	makeFolder(dirname(folder));
	try {
		mkdirSync(folder);
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // another process was faster
	}
}
